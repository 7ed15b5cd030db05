//! Which images are on the engine because this worker pulled them, and which of them was used when. Only these are ever
//! removed: the engine may be shared with people, and does not know itself when an image was used.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

/// The images that this worker pulled. Written down, so that a worker that starts again knows them.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    file: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The least recently used first.
    order: Vec<String>,
    /// By attempts between the look at the image and the container that holds it on the engine.
    held: HashMap<String, u32>,
}

/// An image that is not removed as long as this lives.
#[derive(Debug)]
pub(crate) struct Held {
    kept: Arc<Kept>,
    image: String,
}

impl Kept {
    /// With what an earlier process wrote into the file.
    pub(crate) fn open(file: Option<PathBuf>) -> Self {
        let text = file.as_ref().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        let order = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        Self { file, state: Mutex::new(State { order, held: HashMap::new() }) }
    }

    /// Takes an image into use.
    pub(crate) fn hold(self: &Arc<Self>, image: &str) -> Held {
        self.change(|state| {
            *state.held.entry(image.to_owned()).or_default() += 1;
            if state.order.last().is_some_and(|last| last != image)
                && let Some(at) = state.order.iter().position(|known| known == image)
            {
                let image = state.order.remove(at);
                state.order.push(image);
            }
        });
        Held { kept: Arc::clone(self), image: image.to_owned() }
    }

    /// An image came because of this worker.
    pub(crate) fn pulled(&self, image: &str) {
        self.change(|state| {
            state.order.retain(|known| known != image);
            state.order.push(image.to_owned());
        });
    }

    /// An image is gone.
    pub(crate) fn removed(&self, image: &str) {
        self.change(|state| state.order.retain(|known| known != image));
    }

    /// What no attempt is about to use, the least recently used first.
    pub(crate) fn unused(&self) -> Vec<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.order.iter().filter(|image| !state.held.contains_key(*image)).cloned().collect()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.order.clone();
        change(&mut state);
        let Some(file) = self.file.as_ref().filter(|_| before != state.order) else { return };
        let text: String = state.order.iter().map(|image| format!("{image}\n")).collect();
        let written = file.with_extension("new");
        // A few lines; what is lost in a crash is only never removed.
        if let Err(error) = fs::write(&written, text).and_then(|()| fs::rename(&written, file)) {
            tracing::warn!(file = %file.display(), %error, "which images were pulled cannot be written down");
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.kept.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = state.held.get_mut(&self.image) {
            *count -= 1;
            if *count == 0 {
                state.held.remove(&self.image);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_comes_first_and_what_is_held_does_not_come() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("images");
        let kept = Arc::new(Kept::open(Some(file.clone())));
        for image in ["a", "b", "c"] {
            kept.pulled(image);
        }
        drop(kept.hold("a"));
        drop(kept.hold("not-ours"));
        assert_eq!(kept.unused(), ["b", "c", "a"]);
        let (first, second) = (kept.hold("b"), kept.hold("b"));
        drop(first);
        assert_eq!(kept.unused(), ["c", "a"]);
        drop(second);
        kept.removed("c");
        assert_eq!(kept.unused(), ["a", "b"]);
        // A process that starts later knows them.
        assert_eq!(Kept::open(Some(file)).unused(), ["a", "b"]);
    }
}
