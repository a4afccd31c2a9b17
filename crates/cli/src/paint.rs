//! Colours on a terminal: what comes is green, what goes red, what changes yellow. Nothing is said by colour alone.

/// Whether to use colours; see `Console::paint`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Paint {
    pub colours: bool,
}

impl Paint {
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colours && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
