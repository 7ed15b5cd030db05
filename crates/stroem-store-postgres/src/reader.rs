//! Reads that ask one question. Several questions about one and the same state travel in one transaction.

use stroem_store::StoreError;
use tokio_postgres::Row;

use crate::{
    codec::Columns,
    connection::{Request, Value, values},
    failure::Outcome,
    store::Inner,
};

impl Inner {
    /// Asks one question, and reads each row of the answer.
    pub(crate) async fn read<T>(
        &self,
        question: &'static str,
        values: Vec<Value<'_>>,
        read: impl Fn(&mut Columns<'_>) -> Outcome<T>,
    ) -> Result<Vec<T>, StoreError> {
        let answers = self.pool.fly(&[Request::new(question, values)]).await?;
        let rows = answers.iter().flatten().map(|row| read(&mut Columns::of(row)));
        Ok(rows.collect::<Outcome<_>>()?)
    }

    /// Asks several questions about one and the same state, in one round trip.
    pub(crate) async fn snapshot(&self, questions: Vec<Request<'_>>) -> Outcome<Vec<Vec<Row>>> {
        let mut all = vec![Request::new("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", values![])];
        all.extend(questions);
        all.push(Request::new("COMMIT", values![]));
        let mut answers = self.pool.fly(&all).await?;
        answers.pop();
        answers.remove(0);
        Ok(answers)
    }
}
