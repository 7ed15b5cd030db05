//! The suite that every store passes: facts as async functions over an empty store, stamped as one test each by
//! [`store_conformance`](crate::store_conformance). They panic at the first difference.
//!
//! The suite must not know how a store keeps its rows: it looks only through the port. What commits and claims write is
//! compared with [`model`], a reference in memory that follows the contract in the plainest way.

pub mod adoptions;
pub mod claims;
pub mod commits;
pub mod jobs;
pub mod lists;
pub mod logs;
pub mod model;
pub mod queue;
mod random;
pub mod random_jobs;
pub mod scale;
pub mod support;
pub mod timers;
pub mod workers;

/// Stamps a test for each fact of the suite. The argument is an `async fn() -> (impl Store, Guard)` that gives an empty
/// store, and whatever must live as long as it. After `skippable` it is an `async fn(test: &str) -> Option<..>` of the same,
/// which gives none, and says why, where the database is missing. The caller's crate needs `tokio` with its test macro.
#[macro_export]
macro_rules! store_conformance {
    ($fresh:path) => {
        async fn always(_: &str) -> Option<(impl $crate::Store, impl Sized)> {
            Some($fresh().await)
        }
        $crate::store_conformance! { skippable always }
    };
    (skippable $fresh:path) => {
        $crate::store_conformance! { @stamp $fresh;
            jobs::a_new_job_reads_back_whole
            jobs::a_plan_is_shared_by_its_jobs
            jobs::a_job_can_end_at_its_creation
            jobs::what_does_not_exist_is_none_or_typed
            jobs::a_footprint_loads_exactly_its_rows
            jobs::large_and_odd_values_come_back
            commits::a_chain_runs_from_claim_to_the_end
            commits::a_stale_lease_is_refused_and_writes_nothing
            commits::a_batch_that_changes_nothing_writes_nothing
            commits::a_step_handed_back_leaves_no_attempt
            commits::every_attempt_of_a_requeued_step_is_kept
            commits::a_cancelled_job_marks_its_leases_and_empties_its_queues
            commits::events_of_one_batch_see_each_other
            random_jobs::random_jobs_equal_the_reference
            claims::the_oldest_comes_first_across_queues
            claims::a_higher_priority_comes_before_an_older_step
            claims::only_the_asked_for_queues_are_touched
            claims::a_step_is_not_given_to_the_worker_that_it_avoids
            claims::a_step_avoids_a_worker_for_a_while_only
            claims::at_most_the_limit_is_claimed
            claims::who_is_gone_or_drains_gets_nothing
            claims::fences_grow_with_every_claim
            claims::concurrent_claims_never_give_a_step_twice
            claims::a_claim_and_a_cancel_have_one_winner
            queue::depths_and_keys_follow_the_queue
            queue::ready_since_gives_the_oldest_first
            queue::ahead_counts_what_would_be_claimed_before
            queue::leases_are_listed_by_worker
            queue::an_attempt_is_known_by_its_fence
            adoptions::a_runtime_is_kept_with_its_lease
            adoptions::only_what_can_outlive_its_worker_is_offered
            adoptions::an_adopted_attempt_has_a_new_fence_and_nothing_else_new
            adoptions::of_two_workers_one_adopts
            adoptions::a_holder_that_returns_keeps_its_lease
            adoptions::an_attempt_that_ended_is_not_offered
            timers::timers_come_due_in_order
            timers::a_job_that_ends_takes_its_timers
            workers::a_worker_keeps_its_id_for_ever
            workers::a_second_live_instance_is_refused
            workers::only_the_newest_session_counts
            workers::a_worker_that_left_is_gone_unless_a_newer_instance_came
            workers::seen_never_goes_back
            workers::gone_workers_are_forgotten_when_they_hold_no_lease
            logs::chunks_come_back_in_the_order_of_storing
            logs::a_chunk_sent_again_is_passed_over
            logs::a_chunk_after_a_gap_is_not_stored
            logs::attempts_share_the_numbers_of_their_job
            logs::ranges_are_cut_by_step_number_and_limit
            logs::the_last_chunks_of_a_step_come_in_order
            logs::a_sealed_log_has_no_chunks
            logs::a_sealed_log_can_grow
            logs::a_log_that_grew_is_not_sealed
            logs::unsealed_logs_are_listed_oldest_first
            logs::concurrent_appends_leave_no_gap
            lists::jobs_are_listed_newest_first_in_pages
            lists::every_filter_cuts_the_list
            lists::a_stopped_job_is_listed_by_its_final_state
            lists::a_search_finds_ids_tasks_and_sources
            lists::counts_follow_the_jobs
            scale::rows_read_do_not_grow_with_the_job
            scale::ten_thousand_steps_are_created_at_once
            scale::a_hundred_ends_fit_in_one_batch
        }
    };
    (@stamp $fresh:path; $($module:ident :: $fact:ident)*) => {
        $(
            #[::tokio::test]
            async fn $fact() {
                let Some((store, _guard)) = $fresh(stringify!($fact)).await else { return };
                $crate::conformance::$module::$fact(&store).await;
            }
        )*
    };
}
