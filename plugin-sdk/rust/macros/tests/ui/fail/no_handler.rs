use hookgate_plugin::{Event, Result, plugin};

struct Mine;

#[plugin]
impl Mine {
    fn ready(_: Event) -> Result {
        Ok(())
    }
}

fn main() {}
