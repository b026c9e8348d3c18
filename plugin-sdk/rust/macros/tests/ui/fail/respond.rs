use hookgate_plugin::{Answer, Event, Failure, Result, plugin};

struct Mine;

#[plugin]
impl Mine {
    #[respond]
    fn bare(_: Event) -> Result<Answer> {
        Ok(Answer::new(204))
    }

    #[respond("a b")]
    fn odd(_: Event) -> Result<Answer> {
        Ok(Answer::new(204))
    }

    #[on("a")]
    #[respond("a")]
    fn both(_: Event) -> Result {
        Ok(())
    }

    #[respond("nothing")]
    fn nothing(_: Event) {}

    #[respond("number")]
    const NUMBER: u32 = 7;
}

struct Taken;

#[plugin]
impl Taken {
    #[on("a")]
    fn handled(_: Event) -> Result {
        Ok(())
    }

    #[respond("a", "b")]
    fn one(_: Event) -> Result<Answer> {
        Ok(Answer::new(204))
    }

    #[respond("b")]
    fn other(_: Event) -> Result<Answer> {
        Ok(Answer::new(204))
    }
}

struct Other;

#[plugin]
impl Other {
    #[respond("unit")]
    fn unit(_: Event) -> Result {
        Ok(())
    }

    #[respond("number")]
    fn number(_: Event) -> Result<u32, Failure> {
        Ok(7)
    }

    #[respond("plain")]
    fn plain(_: Event) -> Answer {
        Answer::new(204)
    }
}

fn main() {}
