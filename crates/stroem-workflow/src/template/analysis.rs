//! What a template refers to, without rendering it: variable paths, filters, tests and functions. Over-approximates:
//! a path behind a condition counts, an index that is not a constant counts as every index.

use minijinja::machinery::{Span, ast, parse};

use super::{
    TemplateError, environment,
    names::{FILTERS, FUNCTIONS, TESTS},
    syntax,
};
use crate::report::nearest;

/// A variable with the attributes that are read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// The name, then attributes and constant indexes.
    pub(crate) parts: Vec<String>,
    /// Where it starts, in bytes from the start of the template.
    pub(crate) offset: usize,
}

impl Path {
    pub(crate) fn root(&self) -> &str {
        &self.parts[0]
    }

    pub(crate) fn part(&self, index: usize) -> Option<&str> {
        self.parts.get(index).map(String::as_str)
    }
}

/// A name that the engine does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// `filter`, `test` or `function`.
    pub(crate) what: &'static str,
    pub(crate) name: String,
    pub(crate) suggestion: Option<&'static str>,
    pub(crate) offset: usize,
}

/// What a template refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) paths: Vec<Path>,
    pub(crate) unknown: Vec<Unknown>,
    /// Whether the `vals` filter is used.
    pub(crate) vals: bool,
}

/// Names that every template has besides its context.
const GLOBALS: [&str; 3] = ["range", "dict", "loop"];

/// Parses a template and lists what it refers to.
///
/// # Errors
/// The syntax error.
pub(crate) fn analyse(text: &str) -> Result<Usage, TemplateError> {
    if !super::is_template(text) {
        return Ok(Usage::default());
    }
    super::limit::check(text)?;
    let statement = parse(text, "template", syntax()).map_err(|error| TemplateError::from(&error))?;
    // The compiler finds a few more problems than the parser.
    let compiler: &minijinja::Environment<'_> = environment();
    compiler.template_from_str(text).map_err(|error| TemplateError::from(&error))?;
    let mut walk = Walk { usage: Usage::default(), scopes: vec![Vec::new()] };
    walk.statement(&statement);
    Ok(walk.usage)
}

struct Walk {
    usage: Usage,
    /// Names that the template itself assigned, by block.
    scopes: Vec<Vec<String>>,
}

impl Walk {
    fn block(&mut self, names: &[&ast::Expr<'_>], body: &[ast::Stmt<'_>]) {
        self.scopes.push(Vec::new());
        for name in names {
            self.assign(name);
        }
        self.statements(body);
        self.scopes.pop();
    }

    fn statements(&mut self, statements: &[ast::Stmt<'_>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &ast::Stmt<'_>) {
        match statement {
            ast::Stmt::Template(template) => self.statements(&template.children),
            ast::Stmt::EmitExpr(emit) => self.expression(&emit.expr),
            ast::Stmt::EmitRaw(_) => {}
            ast::Stmt::ForLoop(each) => {
                self.expression(&each.iter);
                self.scopes.push(Vec::new());
                self.assign(&each.target);
                self.optional(each.filter_expr.as_ref());
                self.statements(&each.body);
                self.scopes.pop();
                self.block(&[], &each.else_body);
            }
            ast::Stmt::IfCond(condition) => {
                self.expression(&condition.expr);
                self.statements(&condition.true_body);
                self.statements(&condition.false_body);
            }
            ast::Stmt::WithBlock(with) => {
                self.scopes.push(Vec::new());
                for (target, value) in &with.assignments {
                    self.expression(value);
                    self.assign(target);
                }
                self.statements(&with.body);
                self.scopes.pop();
            }
            ast::Stmt::Set(set) => {
                self.expression(&set.expr);
                self.assign(&set.target);
            }
            ast::Stmt::SetBlock(set) => {
                self.optional(set.filter.as_ref());
                self.block(&[], &set.body);
                self.assign(&set.target);
            }
            ast::Stmt::AutoEscape(escape) => {
                self.expression(&escape.enabled);
                self.statements(&escape.body);
            }
            ast::Stmt::FilterBlock(filter) => {
                self.expression(&filter.filter);
                self.block(&[], &filter.body);
            }
            ast::Stmt::Macro(definition) => self.macro_definition(definition),
            ast::Stmt::CallBlock(call) => {
                self.call(&call.call);
                self.macro_definition(&call.macro_decl);
            }
            ast::Stmt::Do(statement) => self.call(&statement.call),
        }
    }

    fn macro_definition(&mut self, definition: &ast::Macro<'_>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(definition.name.to_owned());
        }
        for default in &definition.defaults {
            self.expression(default);
        }
        self.scopes.push(vec!["caller".to_owned()]);
        for argument in &definition.args {
            self.assign(argument);
        }
        self.statements(&definition.body);
        self.scopes.pop();
    }

    fn assign(&mut self, target: &ast::Expr<'_>) {
        match target {
            ast::Expr::Var(variable) => {
                if let Some(scope) = self.scopes.last_mut() {
                    scope.push(variable.id.to_owned());
                }
            }
            ast::Expr::List(list) => list.items.iter().for_each(|item| self.assign(item)),
            ast::Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.assign(item)),
            other => self.expression(other),
        }
    }

    fn optional(&mut self, expression: Option<&ast::Expr<'_>>) {
        if let Some(expression) = expression {
            self.expression(expression);
        }
    }

    fn expression(&mut self, expression: &ast::Expr<'_>) {
        match expression {
            ast::Expr::Var(_) | ast::Expr::GetAttr(_) | ast::Expr::GetItem(_) => self.path(expression),
            ast::Expr::Const(_) => {}
            ast::Expr::Slice(slice) => {
                self.expression(&slice.expr);
                self.optional(slice.start.as_ref());
                self.optional(slice.stop.as_ref());
                self.optional(slice.step.as_ref());
            }
            ast::Expr::UnaryOp(operation) => self.expression(&operation.expr),
            ast::Expr::BinOp(operation) => {
                self.expression(&operation.left);
                self.expression(&operation.right);
            }
            ast::Expr::Compare(compare) => {
                self.expression(&compare.expr);
                compare.ops.iter().for_each(|operation| self.expression(&operation.expr));
            }
            ast::Expr::IfExpr(choice) => {
                self.expression(&choice.test_expr);
                self.expression(&choice.true_expr);
                self.optional(choice.false_expr.as_ref());
            }
            ast::Expr::Filter(filter) => {
                self.optional(filter.expr.as_ref());
                self.arguments(&filter.args);
                self.usage.vals |= filter.name == "vals";
                self.known("filter", filter.name, filter.span());
            }
            ast::Expr::Test(test) => {
                self.expression(&test.expr);
                self.arguments(&test.args);
                self.known("test", test.name, test.span());
            }
            ast::Expr::Call(call) => self.call(call),
            ast::Expr::List(list) => list.items.iter().for_each(|item| self.expression(item)),
            ast::Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expression(item)),
            ast::Expr::Map(map) => {
                map.keys.iter().chain(&map.values).for_each(|item| self.expression(item));
            }
        }
    }

    fn call(&mut self, call: &ast::Spanned<ast::Call<'_>>) {
        match &call.expr {
            ast::Expr::Var(variable) if !self.is_assigned(variable.id) => {
                self.known("function", variable.id, variable.span());
            }
            // A method: what it is called on is what counts.
            ast::Expr::GetAttr(attribute) => self.expression(&attribute.expr),
            other => self.expression(other),
        }
        self.arguments(&call.args);
    }

    fn arguments(&mut self, arguments: &[ast::CallArg<'_>]) {
        for argument in arguments {
            match argument {
                ast::CallArg::Pos(expression)
                | ast::CallArg::Kwarg(_, expression)
                | ast::CallArg::PosSplat(expression)
                | ast::CallArg::KwargSplat(expression) => self.expression(expression),
            }
        }
    }

    /// `a.b["c"].d`: one path as far as names and constant texts go.
    fn path(&mut self, expression: &ast::Expr<'_>) {
        let mut parts = Vec::new();
        let mut inner = expression;
        loop {
            match inner {
                ast::Expr::GetAttr(attribute) => {
                    parts.push(attribute.name.to_owned());
                    inner = &attribute.expr;
                }
                ast::Expr::GetItem(item) => {
                    match &item.subscript_expr {
                        ast::Expr::Const(constant) if constant.value.as_str().is_some() => {
                            parts.push(constant.value.as_str().unwrap_or_default().to_owned());
                        }
                        subscript => {
                            self.expression(subscript);
                            parts.clear();
                        }
                    }
                    inner = &item.expr;
                }
                ast::Expr::Var(variable) => {
                    if !self.is_assigned(variable.id) && !GLOBALS.contains(&variable.id) {
                        parts.push(variable.id.to_owned());
                        parts.reverse();
                        self.usage.paths.push(Path { parts, offset: variable.span().start_offset as usize });
                    }
                    return;
                }
                other => return self.expression(other),
            }
        }
    }

    fn is_assigned(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.iter().any(|assigned| assigned == name))
    }

    fn known(&mut self, what: &'static str, name: &str, span: Span) {
        let list = match what {
            "filter" => FILTERS,
            "test" => TESTS,
            _ => FUNCTIONS,
        };
        if !list.contains(&name) {
            let suggestion = nearest(name, list.iter().copied());
            let offset = span.start_offset as usize;
            self.usage.unknown.push(Unknown { what, name: name.to_owned(), suggestion, offset });
        }
    }
}
