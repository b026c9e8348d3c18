use hookgate_plugin::{Event, Result, plugin};

struct Mine;

#[plugin]
impl Mine {
    #[on("file.ready")]
    fn none() -> Result {
        Ok(())
    }

    #[on("file.updated")]
    fn two(_: Event, _: Event) -> Result {
        Ok(())
    }
}

fn main() {}
