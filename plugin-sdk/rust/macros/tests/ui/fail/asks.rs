use hookgate_plugin::{Event, Result, plugin};

macro_rules! plugins {
    ($($name:ident($($asks:tt)*))*) => {$(
        struct $name;

        #[plugin($($asks)*)]
        impl $name {
            #[on("*")]
            fn all(_: Event) -> Result {
                Ok(())
            }
        }
    )*};
}

plugins! {
    Rocket(rocket("x"))
    NoKey(setting(greeting))
    EmptyKey(setting("a b"))
    Unknown(setting("greeting", defualt = "Hi"))
    Value(setting("greeting", default = 'H'))
    NoValue(setting("greeting", default))
    Detail(setting("greeting", about = "Hi", about = "Hi"))
    Twice(setting("greeting"), setting("greeting"))
    Type(setting("limit", type = "date"))
    Default(setting("limit", default = 3.5, type = "integer"))
    Negative(setting("on", type = "boolean", default = -1))
    Optional(setting("limit", optional))
    NoHost(host)
    OddHost(host("https://example.com/"))
    Above(host("a.*.com"))
    Methods(host("example.com", methods = "GET, POST"))
    Credential(host("example.com", credential = "token"))
    Flag(host("example.com", optional = true))
    Hosts(host("example.com", methods = "GET"), host("example.com", methods = "POST"))
    State(state("key"))
    States(state, state(optional))
    NoType(emit)
    OddType(emit("video *"))
    Source(emit("plugin:video.*"))
}

fn main() {}
