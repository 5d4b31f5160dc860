package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/go-json-experiment/json/jsontext"
)

// Codes of job.FieldError for transactions, besides those of dbop.
const (
	CodeUnknownOperation = "unknown_operation"
	CodeDuplicateName    = "duplicate_name"
)

// TransactionArgs are the args of db.transaction.
type TransactionArgs struct {
	Database   string            `json:"database,omitempty"`  // "" is the only one configured
	Operations []json.RawMessage `json:"operations"`          // 1 to dbop.MaxSteps, each a StepArgs and the args of its op
	Isolation  string            `json:"isolation,omitempty"` // one of dbop.Isolations; "" is the database's default
}

// StepArgs are what an operation of a transaction has beside the args of its
// kind.
type StepArgs struct {
	Op         string `json:"op"`                    // a kind of database job without its db.
	Database   string `json:"database,omitempty"`    // that of the transaction, or ""
	As         string `json:"as,omitempty"`          // by which later operations refer to the result
	ExpectRows *int   `json:"expect_rows,omitempty"` // that must be returned or affected
}

// TransactionResult is the result of db.transaction.
type TransactionResult struct {
	Results []json.RawMessage `json:"results"` // of the operations, in their order, each as that of its kind
}

// Transaction is operations on a database of which all happen or none does.
type Transaction struct {
	Database    string // as configured; never empty
	Transaction dbop.Transaction
}

// Kind answers with DBTransaction.
func (t *Transaction) Kind() Kind { return DBTransaction }

func (a TransactionArgs) task(c *checker) Task {
	task := &Transaction{Transaction: dbop.Transaction{Isolation: dbop.Isolation(a.Isolation)}}
	if a.Isolation != "" && !slices.Contains(dbop.Isolations(), task.Transaction.Isolation) {
		c.Fail("/args/isolation", dbop.CodeNotAllowed, "want read_committed, repeatable_read or serializable")
	}
	targets := &stepTargets{}
	if target, ok := c.targets.Database(a.Database); ok {
		targets.database, task.Database = target, target.Name
	} else {
		c.unknownTarget("database", CodeUnknownDatabase, a.Database)
		targets.database.Registry = unchecked{}
	}
	const pointer = "/args/operations"
	switch n := len(a.Operations); {
	case n == 0:
		c.Fail(pointer, CodeRequired, "there are no operations; want 1 to %d", dbop.MaxSteps)
	case n > dbop.MaxSteps:
		c.Fail(pointer, dbop.CodeTooMany, "%d operations; want at most %d", n, dbop.MaxSteps)
	default:
		task.Transaction.Steps = c.steps(a.Operations, targets, pointer)
	}
	return task
}

// steps reads the operations. What is wrong with one does not keep the others
// from being read.
func (c *checker) steps(operations []json.RawMessage, targets *stepTargets, pointer string) []dbop.Step {
	heads := make([]StepArgs, len(operations))
	args := make([]json.RawMessage, len(operations))
	names := make([]string, len(operations))
	for i, operation := range operations {
		at := fmt.Sprintf("%s/%d", pointer, i)
		head, rest := splitStep(operation)
		if err := strictjson.DecodeAt(at, head, &heads[i]); err != nil {
			c.addFaults("", "", faultsOf(err))
			continue
		}
		args[i] = rest
		c.stepName(heads[i].As, names[:i], at+"/as")
		names[i] = heads[i].As
	}
	steps := make([]dbop.Step, len(operations))
	for i, head := range heads {
		if args[i] == nil {
			continue
		}
		at := fmt.Sprintf("%s/%d", pointer, i)
		steps[i] = dbop.Step{As: head.As, ExpectRows: head.ExpectRows}
		if head.Database != "" && targets.database.Name != "" && head.Database != targets.database.Name {
			c.Fail(at+"/database", dbop.CodeNotAllowed, "a transaction is of one database, which is %s here; name it beside the operations", targets.database.Name)
		}
		if n := head.ExpectRows; n != nil && (*n < 0 || *n > MaxAffected) {
			c.Fail(at+"/expect_rows", strictjson.CodeOutOfRange, "want 0 to %d", MaxAffected)
		}
		steps[i].Operation = c.step(head.Op, args[i], targets, names, i, at)
	}
	return steps
}

// step reads the args of one operation as those of its kind.
func (c *checker) step(op string, args json.RawMessage, targets Targets, names []string, index int, pointer string) dbop.Operation {
	entry, ok := c.kinds("db." + op)
	switch {
	case op == "":
		c.Fail(pointer+"/op", CodeRequired, "the op is missing; want a kind of database job without its db., such as update_one")
		return dbop.Operation{}
	case !ok, entry.kind == DBTransaction:
		c.Fail(pointer+"/op", CodeUnknownOperation, "no operation %s; want a kind of database job without its db., such as update_one", strictjson.Quote(op))
		return dbop.Operation{}
	}
	step := checker{targets: targets}
	step.Step(names, index)
	task, err := entry.parse(&step, args)
	c.addFaults("/args", pointer, append(faultsOf(err), step.Errors()...))
	db, ok := task.(*DB)
	if !ok {
		if len(faultsOf(err)) == 0 {
			c.Fail(pointer, strictjson.CodeInvalidValue, "the operation cannot be read")
		}
		return dbop.Operation{}
	}
	if db.Cache != nil {
		c.Fail(pointer+"/cache", dbop.CodeNotAllowed, "an operation of a transaction reads the database; leave the cache out")
	}
	return db.Operation
}

// addFaults takes what is wrong with a step. Pointers that begin with from, into
// what was taken for all of the args, begin with to instead.
func (c *checker) addFaults(from, to string, faults []job.FieldError) {
	for _, fault := range faults {
		c.Fail(to+strings.TrimPrefix(fault.Pointer, from), fault.Code, "%s", fault.Message)
	}
}

func faultsOf(err error) []job.FieldError {
	var invalid *job.InvalidError
	if errors.As(err, &invalid) {
		return invalid.Fields
	}
	return nil
}

// stepName looks at what an operation calls its result.
func (c *checker) stepName(name string, earlier []string, pointer string) {
	switch {
	case name == "":
	case !dbop.ValidStepName(name):
		c.Fail(pointer, dbop.CodeInvalidName, "not a name; want up to %d letters, digits, _ and -, beginning with a letter or _", dbop.MaxNameLength)
	case slices.Contains(earlier, name):
		c.Fail(pointer, CodeDuplicateName, "an earlier operation is called %s, too", name)
	}
}

// splitStep separates what an operation of a transaction has by itself from
// the args of its kind. What is no object is left to the first.
func splitStep(operation json.RawMessage) (head, args json.RawMessage) {
	if jsontext.Value(operation).Kind() != '{' {
		return operation, json.RawMessage("{}")
	}
	head, args = json.RawMessage{'{'}, json.RawMessage{'{'}
	add := func(object json.RawMessage, name string, value jsontext.Value) json.RawMessage {
		if len(object) > 1 {
			object = append(object, ',')
		}
		object, _ = jsontext.AppendQuote(object, name) // it has passed strictjson.Check
		return append(append(object, ':'), value...)
	}
	for name, value := range strictjson.Members(operation) {
		switch name {
		case "op", "database", "as", "expect_rows":
			head = add(head, name, value)
		default:
			args = add(args, name, value)
		}
	}
	return append(head, '}'), append(args, '}')
}

// stepTargets knows the database of a transaction, under any name: whether an
// operation names another one is looked at elsewhere.
type stepTargets struct{ database Database }

func (t *stepTargets) Database(string) (Database, bool) { return t.database, true }

func (t *stepTargets) Client(string) (Client, bool) { return Client{}, false }

// unchecked allows everything: it stands for a database that is not there.
type unchecked struct{}

func (unchecked) Check(dbop.Operation) []job.FieldError { return nil }

func (unchecked) Query(string) (dbop.NamedQuery, bool) { return dbop.NamedQuery{}, false }
