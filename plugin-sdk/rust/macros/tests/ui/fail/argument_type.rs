use hookgate_plugin::{Event, Result, plugin};

struct Mine;

struct Order;

#[plugin]
impl Mine {
    #[on("order.created")]
    fn own(_: Order) -> Result {
        Ok(())
    }

    #[on("order.updated")]
    fn borrowed(_: &Event) -> Result {
        Ok(())
    }
}

fn main() {}
