use hookgate_plugin::{Event, Result, plugin};

struct Mine;

#[plugin]
impl Mine {
    #[on("")]
    fn empty(_: Event) -> Result {
        Ok(())
    }

    #[on("file.ready", "file ready")]
    fn whitespace(_: Event) -> Result {
        Ok(())
    }

    #[on("frameio:")]
    fn no_type(_: Event) -> Result {
        Ok(())
    }

    #[on(":file.ready")]
    fn no_source(_: Event) -> Result {
        Ok(())
    }
}

fn main() {}
