//! Which tarballs of old revisions are removed, and when.

use std::time::Duration;

use stroem_core::Timestamp;

use crate::fixture::{CHAIN, Fixture};

#[tokio::test]
async fn a_revisions_tarball_stays_until_no_open_job_pins_it() {
    let fixture = Fixture::new(CHAIN, |_| ()).await;
    let worker = fixture.worker(1, Vec::new()).await;
    let first = fixture.execute().await;
    fixture.edit(&format!("# changed\n{CHAIN}"));
    let second = fixture.execute().await;
    let in_an_hour = fixture.app.now().after(Duration::from_secs(3_600));
    let removed = async |before| fixture.app.remove_tarballs(before).await.expect("removes").len();
    assert_eq!(removed(in_an_hour).await, 0, "both revisions are pinned");
    // Oldest first: the second job's first step is ready before the first job's second one.
    for job in [first, second, first] {
        let lease = fixture.claim(&worker).await;
        assert_eq!(lease.attempt.job, job);
        fixture.end(&worker, lease).await;
    }
    assert_eq!(removed(Timestamp::from_micros(0)).await, 0, "it is young");
    assert_eq!(removed(in_an_hour).await, 1, "the first job has ended");
    assert_eq!(removed(in_an_hour).await, 0, "the second job's is the newest");
}
