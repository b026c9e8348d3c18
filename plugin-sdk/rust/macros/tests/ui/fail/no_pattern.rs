use hookgate_plugin::{Event, Result, plugin};

struct Mine;

#[plugin]
impl Mine {
    #[on]
    fn bare(_: Event) -> Result {
        Ok(())
    }

    #[on()]
    fn empty(_: Event) -> Result {
        Ok(())
    }

    #[on(file.ready)]
    fn unquoted(_: Event) -> Result {
        Ok(())
    }

    #[on("file.ready", 7)]
    fn number(_: Event) -> Result {
        Ok(())
    }

    #[on = "file.ready"]
    fn assigned(_: Event) -> Result {
        Ok(())
    }

    #[on("file.ready")]
    const NUMBER: u32 = 7;
}

fn main() {}
