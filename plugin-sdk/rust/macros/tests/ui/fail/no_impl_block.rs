use hookgate_plugin::plugin;

#[plugin]
struct Mine;

#[plugin]
fn ready() {}

struct Other;

#[plugin]
impl Clone for Other {
    fn clone(&self) -> Other {
        Other
    }
}

fn main() {}
