use hookgate_plugin::{Event, FromEvent, Result, plugin};

struct Mine<T>(T);

#[plugin]
impl<T> Mine<T> {
    #[on("file.ready")]
    fn ready(_: Event) -> Result {
        Ok(())
    }
}

struct Other;

#[plugin]
impl Other {
    #[on("file.ready")]
    fn ready<T: FromEvent>(_: T) -> Result {
        Ok(())
    }
}

fn main() {}
