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
    Host(host("example.com"))
    NoKey(setting(greeting))
    EmptyKey(setting("a b"))
    Unknown(setting("greeting", defualt = "Hi"))
    Value(setting("greeting", default = 'H'))
    Detail(setting("greeting", about = "Hi", about = "Hi"))
    Twice(setting("greeting"), setting("greeting"))
}

fn main() {}
