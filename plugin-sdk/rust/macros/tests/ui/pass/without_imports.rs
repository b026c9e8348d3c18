//! Nothing has to be in scope, and names of the author's own are in nobody's way.

mod inner {
    pub struct Plugin;
}

#[allow(dead_code)]
type Result = std::result::Result<(), hookgate_plugin::Failure>;

#[hookgate_plugin::plugin(setting("limit", default = 2.5,), setting("on", default = true))]
impl inner::Plugin {
    #[on("*", "frameio:file.*", "com.Example:order", "*:x",)]
    fn handle(_: hookgate_plugin::Event) -> Result {
        hookgate_plugin::log::error!("{}", 1);
        hookgate_plugin::log::trace!("plain");
        Ok(())
    }

    #[cfg(any())]
    #[on("*")]
    fn elsewhere(event: Event) -> Result {}
}

macro_rules! plugin {
    ($name:ident, $pattern:literal, $argument:ty) => {
        struct $name;

        #[hookgate_plugin::plugin]
        impl $name {
            #[on($pattern)]
            fn ready(_: $argument) -> hookgate_plugin::Result {
                Ok(())
            }
        }
    };
}

plugin!(Written, "file.ready", hookgate_plugin::Json<u8>);

fn main() {}
