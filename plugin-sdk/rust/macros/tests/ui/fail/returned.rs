use hookgate_plugin::{Event, Result, plugin};

struct Mine;

#[plugin]
impl Mine {
    #[on("order.created")]
    fn nothing(_: Event) {}
}

struct Other;

#[plugin]
impl Other {
    #[on("order.updated")]
    fn number(_: Event) -> Result<u32> {
        Ok(7)
    }

    #[on("order.deleted")]
    fn truth(_: Event) -> bool {
        true
    }
}

fn main() {}
