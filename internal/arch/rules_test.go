package arch_test

// packageRule says what a package may import of ours.
type packageRule struct {
	path    string   // relative to the module's root; "." is the root package
	imports []string // packages of ours; anyPackage is every one
	why     string   // where it is not obvious
}

// anyPackage, in a list of packages, is every one of them.
const anyPackage = "*"

// packageRules is the import map. What is not in it does not exist: a new
// package is a decision, and a line here is where it is taken. Tests may also
// import testkit, and packages of ours that theirs may not, except for those
// that put the product together (app, cmd).
var packageRules = []packageRule{
	// Vocabulary: plain data, no I/O.
	{path: "job"},
	{path: "dbop", imports: []string{"job", "internal/strictjson"}, why: "database operations as data: tasks validates them, store runs them, api shows them"},
	{path: "httpop", imports: []string{"job", "internal/strictjson"}, why: "API calls as data: tasks validates them, clients sends them, api shows them"},
	{path: "tasks", imports: []string{"job", "dbop", "httpop", "internal/duration", "internal/strictjson"}},

	{path: "alert", imports: []string{"job"}, why: "what is watched and what becomes of it; the ledger and what the rules read are told to it as interface and functions"},
	{path: "schedule", imports: []string{"job"}, why: "when fires are and what becomes of them; ledger and tasks are told to it as functions"},

	// The durable record, and what moves it.
	{path: "ledger", imports: []string{"job", "internal/pgconn", "internal/sqliteconn"}},
	{path: "dispatch", imports: []string{"job"}, why: "it sees the ledger through interfaces of its own, so that both sources of work pass one suite"},

	// What jobs do.
	{path: "cache", why: "it keeps bytes, and knows neither rows nor responses"},
	{path: "handlers", imports: []string{"job", "tasks", "store", "clients", "dbop", "httpop"}},
	{path: "store", imports: []string{"job", "cache", "dbop", "internal/mysqlconn", "internal/pgconn", "internal/sqliteconn", "internal/sqltext"}},
	{path: "clients", imports: []string{"job", "cache", "httpop"}},

	{path: "fleet", imports: []string{"job", "clients"}, why: "it is the gate that clients asks: limits and breakers that processes share"},

	// The faces of the process.
	{path: "api", imports: []string{"job", "tasks", "dbop", "httpop", "alert", "schedule", "internal/duration", "internal/strictjson"}, why: "ledger, queues and targets are interfaces of its own"},
	{path: "dashboard", why: "pages that get their data over REST, as everybody does"},
	{path: "observe", imports: []string{"job", "cache", "dbop"}, why: "labels are the product's own words, not free text"},
	{path: "sdk", imports: []string{"job"}, why: "who calls the REST API from Go pulls in nothing else"},

	// Composition.
	{path: "config", imports: []string{"job", "httpop", "schedule", "internal/duration", "internal/sqltext"}, why: "settings are plain data; app hands each package its own"},
	{path: "lifecycle"},
	{path: "app", imports: []string{anyPackage}, why: "the only package that knows all the others"},
	{path: "cmd/api", imports: []string{"app"}},
	{path: "cmd/worker", imports: []string{"app"}},
	{path: "cmd/scheduler", imports: []string{"app"}},
	{path: "cmd/asyncops", imports: []string{"app"}},
	{path: ".", imports: []string{"app", "api", "cache", "clients", "httpop", "job", "sdk", "store", "tasks"}, why: "the public face: its functions return what these own, and answer as api does"},
	{path: "cli", imports: []string{"job", "config", "sdk", "internal/load"}, why: "the operator's commands; what needs the rest of the system reaches them as functions"},

	// What to begin with, compiled and run.
	{path: "examples/web", imports: []string{".", "clients", "store"}, why: "an echo server, as users of the root package write it"},
	{path: "examples/users", imports: []string{"store", "clients", "httpop", "job"}, why: "a repository and a service, as users of the packages write them"},

	// Measuring.
	{path: "internal/load", imports: []string{"job", "sdk"}, why: "the bench command and the module bench drive servers with it"},

	// Leaves.
	{path: "internal/duration"},
	{path: "internal/sqltext", why: "named statements are read by config, to say what is wrong with them, and by store, to run them"},
	{path: "internal/strictjson", imports: []string{"job"}, why: "what is wrong with a document is a job.InvalidError"},
	{path: "internal/pgconn", why: "the guarded PostgreSQL connection that ledger and store share"},
	{path: "internal/mysqlconn", why: "the guarded connection to MariaDB and MySQL"},
	{path: "internal/sqliteconn", why: "the SQLite settings that ledger and store share"},

	// Tests. The suites are run by each dialect, source and fake.
	{path: "ledger/ledgertest", imports: []string{"job", "ledger", "schedule", "internal/testkit"}, why: "schedules are fired there as schedulers do"},
	{path: "dispatch/dispatchtest", imports: []string{"job", "dispatch", "ledger", "internal/testkit"}, why: "it runs on real ledgers"},
	{path: "store/storetest", imports: []string{"job", "cache", "dbop", "store", "tasks", "internal/testkit"}, why: "transactions are written as their args are"},
	{path: "clients/clientstest", imports: []string{"job", "cache", "httpop", "clients", "internal/testkit"}},
	{path: "internal/testkit", why: "tests of every package import it, so it imports none"},
	{path: "e2e", why: "whole processes from the outside: it knows the contract, not the code"},
	{path: "e2e/browser", why: "the dashboard in a real browser, against whole processes"},
	{path: "internal/arch"},
	{path: "internal/docs"},
}

// composition are the packages that only themselves and their tests import.
var composition = []string{".", "app", "cmd"}

// vendorRule says which of our packages may import a library.
type vendorRule struct {
	path    string   // a module without its major version, or packages in it
	imports []string // the packages that may import it; anyPackage is every one
	tests   bool     // every test may import it, and nothing else
	why     string   // where it is not obvious
}

// vendorRules are the libraries that we import directly. One vendor, one
// package: who replaces a library edits one place. The longest path that fits
// an import decides. A package's tests and suite may import what it may.
var vendorRules = []vendorRule{
	{path: "github.com/uptrace/bun", imports: []string{"ledger", "store"}, why: "one vendor with two homes: the record, and the targets"},
	{path: "github.com/uptrace/bun/driver/pgdriver", imports: []string{"internal/pgconn", "internal/testkit"}, why: "only behind the guard that cancels statements; testkit makes databases with it"},
	{path: "github.com/go-sql-driver/mysql", imports: []string{"internal/mysqlconn"}, why: "only behind the guard that cancels statements and ends failed transactions"},
	{path: "modernc.org/sqlite", imports: []string{"internal/sqliteconn"}},
	{path: "github.com/hibiken/asynq", imports: []string{"dispatch"}},
	{path: "github.com/redis/go-redis", imports: []string{"dispatch", "cache", "fleet"}, why: "doorbells, the second level of the cache, and what the fleet shares of limits and breakers"},
	{path: "github.com/maypok86/otter", imports: []string{"cache"}},
	{path: "github.com/failsafe-go/failsafe-go", imports: []string{"fleet"}, why: "the circuit breaker of one process, for while there is no Redis"},
	{path: "github.com/labstack/echo", imports: []string{"api", ".", "examples/web"}},
	{path: "github.com/prometheus/client_golang", imports: []string{"observe"}},
	{path: "github.com/alecthomas/kong", imports: []string{"app", "cli"}},
	{path: "gopkg.in/yaml.v3", imports: []string{"config"}},
	{path: "github.com/go-json-experiment/json", imports: []string{"internal/strictjson"}},
	{path: "github.com/go-json-experiment/json/jsontext", imports: []string{"internal/strictjson", "dbop", "tasks"}, why: "values whose type is not known before they are read are read token by token"},
	{path: "github.com/robfig/cron", imports: []string{"schedule"}, why: "its parser; its times skip and double fires where clocks are set"},
	{path: "github.com/cenkalti/backoff", imports: []string{"clients", "store"}, why: "retries inside one attempt; retries of jobs are the ledger's"},
	{path: "github.com/coder/websocket", imports: []string{"clients", "clients/clientstest"}},
	{path: "golang.org/x/oauth2", imports: []string{"clients"}},
	{path: "github.com/klauspost/compress", imports: []string{"clients", "clients/clientstest"}, why: "zstd answers of upstreams; gzip is the standard library's"},
	{path: "golang.org/x/time", imports: []string{anyPackage}},

	{path: "go.uber.org/goleak", tests: true},
	{path: "github.com/google/go-cmp", tests: true},
	{path: "pgregory.net/rapid", tests: true},
	{path: "github.com/santhosh-tekuri/jsonschema", tests: true, why: "holds args and results against the schemas of their kinds"},
	{path: "github.com/chromedp/chromedp", imports: []string{"e2e/browser"}, why: "drives the browser in which the dashboard is tested"},
	{path: "github.com/chromedp/cdproto", imports: []string{"e2e/browser"}, why: "what the browser says and is told, for chromedp"},
	{path: "github.com/getkin/kin-openapi", tests: true, why: "holds live requests and answers against the OpenAPI document"},
}
