use hookgate_plugin::{Event, Result, plugin};

struct Mine;

#[plugin]
impl Mine {
    #[on("file.ready")]
    fn ready(&self, _: Event) -> Result {
        Ok(())
    }
}

fn main() {}
