use hookgate_plugin::{Event, Result, plugin};

struct Mine;

#[plugin]
impl Mine {
    #[on("file.ready", "file.*")]
    fn one(_: Event) -> Result {
        Ok(())
    }

    #[on("file.*")]
    fn other(_: Event) -> Result {
        Ok(())
    }
}

fn main() {}
