//! What a download token opens, and for how long.

use stroem_app::AppError;

use crate::fixture::Fixture;

const PODS: &str = "tasks:\n  t:\n    flow:\n      a: {type: script, runner: pod, script: 'true'}\n      b: {type: pod, image: debian, depends_on: [a]}\n      c: {type: script, script: 'true', depends_on: [b]}\n";

#[tokio::test]
async fn a_download_token_opens_its_revision_while_its_lease_lasts() {
    let fixture = Fixture::new(PODS, |_| ()).await;
    let worker = fixture.worker_with(1, &["script", "kubernetes"], Vec::new()).await;
    fixture.execute().await;
    let claim = fixture.poll(&worker, Vec::new(), 1).await.claims.remove(0);
    let token = claim.download_token.expect("a script in a pod needs the workspace");
    let token = token.expose();
    let open = async |token: &str, workspace: &str, revision: &str| {
        let revision = revision.parse().expect("a revision");
        fixture.app.download(token, workspace, &revision).await
    };
    let revision = claim.revision.to_string();
    let mut tarball = Vec::new();
    let mut files = open(token, "default", &revision).await.expect("it is valid");
    std::io::Read::read_to_end(&mut files, &mut tarball).expect("it reads");
    let names = String::from_utf8_lossy(&tarball);
    assert!(names.contains(".workflows/main.yaml") && names.contains("runner: pod"), "it is not compressed");

    let mut other = revision.clone();
    let last = if other.pop() == Some('0') { '1' } else { '0' };
    other.push(last);
    for (token, workspace, revision) in [
        (token, "default", other.as_str()),
        (token, "other", &revision),
        ("", "default", &revision),
        ("00", "default", &revision),
        (&token[..token.len() - 2], "default", &revision),
    ] {
        let refused = open(token, workspace, revision).await.map(drop);
        assert!(matches!(refused, Err(AppError::BadDownloadToken)), "{workspace} {revision}: {refused:?}");
    }
    let as_session = fixture.app.session(token).await.map(drop);
    assert!(matches!(as_session, Err(AppError::NoSession)), "it is no worker's session: {as_session:?}");

    fixture.end(&worker, claim.lease).await;
    let over = open(token, "default", &revision).await.map(drop);
    assert!(matches!(over, Err(AppError::BadDownloadToken)), "its lease is over: {over:?}");
}

#[tokio::test]
async fn a_download_token_of_a_lost_lease_opens_nothing() {
    let fixture = Fixture::new(PODS, |_| ()).await;
    let worker = fixture.worker_with(1, &["script", "kubernetes"], Vec::new()).await;
    fixture.execute().await;
    let old = fixture.poll(&worker, Vec::new(), 1).await.claims.remove(0);
    // The same process registers again and does not name the lease: the attempt is lost and queued again.
    let worker = fixture.worker_with(1, &["script", "kubernetes"], Vec::new()).await;
    let new = fixture.poll(&worker, Vec::new(), 1).await.claims.remove(0);
    for (claim, valid) in [(&old, false), (&new, true)] {
        let token = claim.download_token.as_ref().expect("a token").expose();
        assert_eq!(fixture.app.download(token, "default", &claim.revision).await.is_ok(), valid);
    }
}

#[tokio::test]
async fn only_scripts_in_pods_get_a_download_token() {
    let fixture = Fixture::new(PODS, |_| ()).await;
    let worker = fixture.worker_with(1, &["script", "kubernetes"], Vec::new()).await;
    fixture.execute().await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let claim = fixture.poll(&worker, Vec::new(), 1).await.claims.remove(0);
        tokens.push(claim.download_token.is_some());
        fixture.end(&worker, claim.lease).await;
    }
    assert_eq!(tokens, [true, false, false]);
}
