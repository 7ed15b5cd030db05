//! What becomes of a pod that waited too long. Pure.

use stroem_core::Outcome;

use crate::{
    script::invalid,
    status::{Waiting, WaitingFor},
    watch::View,
};

/// What a pod that waited too long comes to.
pub(crate) fn given_up(waiting: Waiting, view: &View) -> Outcome {
    let evidence = view.evidence();
    let message = if evidence.is_empty() || evidence.contains(&waiting.message) {
        waiting.message
    } else {
        format!("{} ({evidence})", waiting.message)
    };
    match waiting.kind {
        WaitingFor::Node => Outcome::Unschedulable { message },
        WaitingFor::Image | WaitingFor::ImpossibleImage => {
            let image = waiting_image(view).filter(|image| !message.contains(image));
            let message = image.map_or(message.clone(), |image| format!("{image}: {message}"));
            Outcome::ImagePull { message }
        }
        WaitingFor::Start => invalid(&format!("the pod cannot start: {message}")),
    }
}

/// The image of the container that waits.
fn waiting_image(view: &View) -> Option<&str> {
    let status = view.pod.as_deref()?.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    let mut containers = init.chain(status.container_statuses.iter().flatten());
    let waits = containers.find(|container| {
        let state = container.state.as_ref();
        state.is_some_and(|state| state.waiting.is_some())
    });
    waits.map(|container| container.image.as_str())
}
