use hookgate_plugin::{Event, Result, plugin};

struct Mine;

#[plugin]
impl Mine {
    #[on("file.ready")]
    async fn ready(_: Event) -> Result {
        Ok(())
    }
}

fn main() {}
