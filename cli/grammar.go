package cli

import (
	"time"

	"github.com/asyncops/asyncops/config"
)

// global are the flags of every command.
type global struct {
	Output string `enum:"table,json" default:"table" short:"o" help:"How results are printed: table or json."`
	URL    string `name:"url" placeholder:"URL" help:"The server; default $$ASYNCOPS_URL, else ${url}. The key is $$ASYNCOPS_API_KEY."`
}

// grammar is everything that can be typed. The commands' Run methods are in
// the files named for them.
type grammar struct {
	global

	Dev        devCmd        `cmd:"" help:"Run API, worker, scheduler and dashboard in this process; nothing else to install."`
	Init       initCmd       `cmd:"" help:"Write a commented configuration to begin with."`
	Migrate    migrateCmd    `cmd:"" help:"Bring the ledger's schema, or a target's effects table, up to date."`
	Config     configCmd     `cmd:"" help:"Work with the configuration."`
	Keys       keysCmd       `cmd:"" help:"Work with API keys."`
	Submit     submitCmd     `cmd:"" help:"Submit a job, or with --file many."`
	Get        getCmd        `cmd:"" help:"Show a job."`
	Watch      watchCmd      `cmd:"" help:"Follow a job until it has ended."`
	List       listCmd       `cmd:"" help:"List jobs, youngest first."`
	Attempts   attemptsCmd   `cmd:"" help:"List the runs of a job."`
	Cancel     cancelCmd     `cmd:"" help:"Stop a job."`
	Retry      retryCmd      `cmd:"" help:"Run a job again that is archived, canceled, expired or unknown."`
	Queues     queuesCmd     `cmd:"" help:"List, pause, resume and purge queues."`
	Schedules  schedulesCmd  `cmd:"" help:"List, add, run, pause, resume and remove periodic jobs."`
	Databases  databasesCmd  `cmd:"" help:"List the databases, or show one: health, connections, jobs that wait."`
	Clients    clientsCmd    `cmd:"" help:"List the APIs that jobs call: health, circuit breakers, limits; close a circuit breaker, forget cached answers."`
	Workers    workersCmd    `cmd:"" help:"List the workers of the fleet, or drain one."`
	Stats      statsCmd      `cmd:"" help:"Tell what happened to jobs, in total, by queue and by kind, and how long they waited and ran."`
	Audit      auditCmd      `cmd:"" help:"List what operators did, the latest first."`
	Kinds      kindsCmd      `cmd:"" help:"List the kinds of jobs that can be submitted."`
	Bench      benchCmd      `cmd:"" help:"Measure the server: submissions, pick-up and throughput."`
	Version    versionCmd    `cmd:"" help:"Show what is installed."`
	Completion completionCmd `cmd:"" help:"Print the completion script of a shell."`
}

type devCmd struct {
	Config string `placeholder:"FILE" help:"Settings that win over the defaults of dev; default $$ASYNCOPS_CONFIG."`
}

type initCmd struct {
	Path  string `arg:"" optional:"" default:"asyncops.yaml" help:"The file to write; default asyncops.yaml."`
	Force bool   `help:"Replace the file if it is there."`
}

type migrateCmd struct {
	Config string `placeholder:"FILE" help:"The configuration; default $$ASYNCOPS_CONFIG."`
	Target string `placeholder:"NAME" help:"The database whose effects table is meant, instead of the ledger."`
	Print  bool   `help:"Print the SQL and change nothing."`
}

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Tell everything that is wrong with the configuration."`
}

type configCheckCmd struct {
	Config  string `placeholder:"FILE" help:"The configuration; default $$ASYNCOPS_CONFIG."`
	Connect bool   `help:"Try the ledger, Redis and every target too."`
}

type keysCmd struct {
	Create keysCreateCmd `cmd:"" help:"Make an API key and print it, once."`
}

type keysCreateCmd struct {
	Name   string `required:"" placeholder:"N" help:"What the key is called in audit and listings."`
	Role   string `required:"" enum:"viewer,submitter,operator,admin" placeholder:"R" help:"viewer, submitter, operator or admin."`
	Direct bool   `help:"Write to the ledger of --config, which makes the first key."`
	Config string `placeholder:"FILE" help:"The configuration; default $$ASYNCOPS_CONFIG."`
}

type submitCmd struct {
	Kind string `arg:"" optional:"" help:"What the job does, such as db.insert_one; see asyncops kinds."`

	Args string          `placeholder:"JSON|@FILE|-" help:"The kind's arguments: JSON, a file with it, or - for stdin; default {}."`
	File string          `placeholder:"FILE" help:"Submit each line of a file of JSON (jobs.ndjson; - is stdin) instead of KIND and its options."`
	Wait config.Duration `placeholder:"10s" help:"Wait for the end; exit 1 unless it completed by then."`

	Queue             string          `placeholder:"NAME" help:"Default: default."`
	RunAt             time.Time       `placeholder:"TIME" help:"Not before this time (RFC 3339)."`
	Delay             config.Duration `placeholder:"30s" help:"Not before this long from now."`
	Timeout           config.Duration `placeholder:"30s" help:"Of one attempt."`
	Deadline          time.Time       `placeholder:"TIME" help:"Give up when it has not ended by then."`
	ExpiresAt         time.Time       `placeholder:"TIME" help:"Give up when it has not started by then."`
	MaxAttempts       int             `placeholder:"N" help:"Default 10."`
	BackoffInitial    config.Duration `placeholder:"1s" help:"Wait after the first failure."`
	BackoffMax        config.Duration `placeholder:"10m" help:"Longest wait between attempts."`
	BackoffMultiplier float64         `placeholder:"2" help:"Growth from one wait to the next."`
	BackoffJitter     *float64        `placeholder:"0.2" help:"Fraction by which waits differ; 0 for none."`
	IdempotencyKey    string          `placeholder:"KEY" help:"Makes it safe to submit the same again."`
	Tag               []string        `placeholder:"TAG" help:"May be repeated."`
	Retention         config.Duration `placeholder:"168h" help:"How long the ended job is kept."`
}

type getCmd struct {
	ID   string          `arg:"" help:"The job's id."`
	Wait config.Duration `placeholder:"10s" help:"Wait for the end; exit 1 unless it completed by then."`
}

type watchCmd struct {
	ID string `arg:"" help:"The job's id."`
}

type listCmd struct {
	State         []string        `placeholder:"STATE" help:"Only jobs in these states."`
	Kind          []string        `placeholder:"KIND" help:"Only these kinds."`
	Queue         []string        `placeholder:"NAME" help:"Only these queues."`
	Tag           string          `placeholder:"TAG" help:"Only jobs with the tag."`
	CreatedAfter  time.Time       `placeholder:"TIME" help:"Only jobs younger than this (RFC 3339)."`
	CreatedBefore time.Time       `placeholder:"TIME" help:"Only jobs older than this (RFC 3339)."`
	Since         config.Duration `placeholder:"1h" help:"Only jobs that are not older than this."`
	Query         string          `short:"q" placeholder:"TEXT" help:"Beginning of an id, or words in tags and errors."`
	OldestFirst   bool            `help:"In the order of their creation."`
	Payload       bool            `help:"With args and results; for --output json."`
	Limit         int             `default:"50" help:"At most so many; 0 is all. Default 50."`
}

type attemptsCmd struct {
	ID string `arg:"" help:"The job's id."`
}

type cancelCmd struct {
	ID string `arg:"" help:"The job's id."`
}

type retryCmd struct {
	ID   string `arg:"" help:"The job's id."`
	Args string `placeholder:"JSON|@FILE|-" help:"Arguments in place of the job's own."`
}

type benchCmd struct {
	Jobs        int             `default:"10000" placeholder:"N" help:"Jobs submitted in batches and worked on; default 10000."`
	Connections int             `default:"64" placeholder:"N" help:"Connections of the submissions side by side; default 64."`
	Duration    config.Duration `default:"5s" placeholder:"5s" help:"How long jobs are submitted one by one, and how long side by side; default 5s."`
	Queue       string          `default:"default" placeholder:"NAME" help:"The queue of the jobs; default default."`
	Kind        string          `default:"system.noop" placeholder:"KIND" help:"What the jobs do; default system.noop, which is nothing."`
	Args        string          `placeholder:"JSON|@FILE|-" help:"The kind's arguments: JSON, a file with it, or - for stdin; default {}."`
	Yes         bool            `help:"Load a server that is not on this machine, too."`
}

type queuesCmd struct {
	List   queuesListCmd   `cmd:"" default:"1" help:"List the queues; what queues does alone."`
	Pause  queuesPauseCmd  `cmd:"" help:"Let no more jobs of a queue start."`
	Resume queuesResumeCmd `cmd:"" help:"Let the jobs of a queue start again."`
	Purge  queuesPurgeCmd  `cmd:"" help:"Cancel every job that waits in a queue; those that run go on."`
}

type statsCmd struct {
	Window string   `placeholder:"1h" help:"How far back, 1m to 90d: such as 90m, 24h or 7d; default 1h."`
	Queue  []string `placeholder:"NAME" help:"Only these queues."`
	Kind   []string `placeholder:"KIND" help:"Only these kinds."`
}

type auditCmd struct {
	Action string          `placeholder:"NAME" help:"Only this, such as queue.pause, or a group, such as queue. with its dot."`
	Key    string          `placeholder:"ID" help:"Only by the key with the id."`
	Target string          `placeholder:"NAME" help:"Only what was done to this: a name or an id."`
	After  time.Time       `placeholder:"TIME" help:"Only after this time (RFC 3339)."`
	Before time.Time       `placeholder:"TIME" help:"Only before this time (RFC 3339)."`
	Since  config.Duration `placeholder:"1h" help:"Only what is not older than this."`
	Limit  int             `default:"50" help:"At most so many; 0 is all. Default 50."`
}

type schedulesCmd struct {
	List   schedulesListCmd   `cmd:"" default:"withargs" help:"List the schedules, or show one; what schedules does alone."`
	Add    schedulesAddCmd    `cmd:"" help:"Make a schedule."`
	Run    schedulesRunCmd    `cmd:"" help:"Make a job of a schedule now, beside its fires."`
	Pause  schedulesPauseCmd  `cmd:"" help:"Let a schedule fire no more."`
	Resume schedulesResumeCmd `cmd:"" help:"Let a schedule fire again, from now on."`
	Remove schedulesRemoveCmd `cmd:"" help:"Remove a schedule; the jobs that it made stay."`
}

type (
	schedulesListCmd struct {
		Name string `arg:"" optional:"" help:"The schedule; default all."`
	}
	schedulesRunCmd struct {
		Name string          `arg:"" help:"The schedule."`
		Wait config.Duration `placeholder:"10s" help:"Wait for the end; exit 1 unless it completed by then."`
	}
	schedulesPauseCmd struct {
		Name string `arg:"" help:"The schedule."`
	}
	schedulesResumeCmd struct {
		Name string `arg:"" help:"The schedule."`
	}
	schedulesRemoveCmd struct {
		Name string `arg:"" help:"The schedule."`
	}
)

type schedulesAddCmd struct {
	Name     string `arg:"" help:"The schedule's name."`
	Cron     string `required:"" placeholder:"SPEC" help:"5 fields, 6 (seconds first), @daily and its like, or @every 10s."`
	Kind     string `required:"" placeholder:"KIND" help:"What each of its jobs does; see asyncops kinds."`
	Args     string `placeholder:"JSON|@FILE|-" help:"The kind's arguments: JSON, a file with it, or - for stdin; default {}."`
	Timezone string `placeholder:"ZONE" help:"Such as Europe/Berlin; default UTC."`

	Missed  string          `placeholder:"skip|once|all" help:"What becomes of fires that were missed; default skip."`
	Overlap string          `placeholder:"skip|queue|allow" help:"What becomes of a fire while a job has not ended; default skip."`
	Jitter  config.Duration `placeholder:"10s" help:"Jobs start late by a time up to this."`
	Start   time.Time       `placeholder:"TIME" help:"No fire before this time (RFC 3339)."`
	End     time.Time       `placeholder:"TIME" help:"No fire after this time."`
	Paused  bool            `help:"Do not let it fire yet."`

	Queue       string          `placeholder:"NAME" help:"Default: default."`
	Timeout     config.Duration `placeholder:"30s" help:"Of one attempt."`
	MaxAttempts int             `placeholder:"N" help:"Default 10."`
	Tag         []string        `placeholder:"TAG" help:"May be repeated."`
	Retention   config.Duration `placeholder:"168h" help:"How long the ended jobs are kept."`
}

type (
	queuesListCmd  struct{}
	queuesPauseCmd struct {
		Name string `arg:"" help:"The queue."`
	}
	queuesResumeCmd struct {
		Name string `arg:"" help:"The queue."`
	}
	queuesPurgeCmd struct {
		Name string `arg:"" help:"The queue."`
		Yes  bool   `help:"Do it: there is no question."`
	}
	workersCmd struct {
		List  workersListCmd  `cmd:"" default:"1" help:"List the workers; what workers does alone."`
		Drain workersDrainCmd `cmd:"" help:"Have a worker take no more jobs and end those that it runs."`
	}
	workersListCmd  struct{}
	workersDrainCmd struct {
		ID string `arg:"" help:"The worker's id."`
	}
	databasesCmd struct {
		Name string `arg:"" optional:"" help:"The database; default all."`
	}
	clientsCmd struct {
		List  clientsListCmd  `cmd:"" default:"1" help:"List the clients; what clients does alone."`
		Show  clientsShowCmd  `cmd:"" help:"Show all of one client."`
		Reset clientsResetCmd `cmd:"" help:"Close a client's circuit breaker, and end a pause that it asked for."`

		Invalidate clientsInvalidateCmd `cmd:"" help:"Forget a client's cached answers: under a key, below a path, or all."`
	}
	clientsListCmd struct{}
	clientsShowCmd struct {
		Name string `arg:"" help:"The client."`
	}
	clientsResetCmd struct {
		Name string `arg:"" help:"The client."`
	}
	clientsInvalidateCmd struct {
		Name       string `arg:"" help:"The client."`
		Key        string `xor:"what" required:"" help:"Those that requests keep under this cache.key."`
		PathPrefix string `xor:"what" required:"" help:"Those of this path and of all below it."`
		All        bool   `xor:"what" required:"" help:"All of the client."`
	}
	kindsCmd   struct{}
	versionCmd struct{}
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}
