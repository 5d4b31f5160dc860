package tasks

import (
	"embed"
	"encoding/json"

	"github.com/asyncops/asyncops/internal/strictjson"
)

// Kind names what a job does. Kinds are part of the public contract.
type Kind string

// The kinds that asyncops brings.
const (
	DBSelectOne   Kind = "db.select_one"
	DBSelectMany  Kind = "db.select_many"
	DBInsertOne   Kind = "db.insert_one"
	DBInsertMany  Kind = "db.insert_many"
	DBUpdateOne   Kind = "db.update_one"
	DBUpdateMany  Kind = "db.update_many"
	DBDeleteOne   Kind = "db.delete_one"
	DBDeleteMany  Kind = "db.delete_many"
	DBQuery       Kind = "db.query"
	DBTransaction Kind = "db.transaction"
	HTTPRequest   Kind = "http.request"
	HTTPBatch     Kind = "http.batch"
	WSExchange    Kind = "ws.exchange"
	CacheWarm     Kind = "cache.warm"
	SystemHealth  Kind = "system.health"
	SystemNoop    Kind = "system.noop"
)

// Effect is what a job of a kind may change outside the ledger. It decides what
// delivery can be promised.
type Effect string

const (
	// EffectNone kinds change nothing and may run any number of times.
	EffectNone Effect = "none"
	// EffectDatabase kinds change rows, exactly once where the target holds
	// the effects table.
	EffectDatabase Effect = "database"
	// EffectUpstream kinds send requests, each with its idempotency key.
	EffectUpstream Effect = "upstream"
)

// Definition describes a kind to the outside.
type Definition struct {
	Name         Kind
	Description  string
	Effect       Effect
	ArgsSchema   json.RawMessage // JSON Schema 2020-12
	ResultSchema json.RawMessage // JSON Schema 2020-12
}

// Definitions lists every kind, each family together.
func Definitions() []Definition {
	var definitions []Definition
	for _, entry := range entries {
		definitions = append(definitions, entry.definition())
	}
	return definitions
}

// Lookup returns the definition of a kind; false when there is none.
func Lookup(name string) (Definition, bool) {
	entry, ok := find(name)
	if !ok {
		return Definition{}, false
	}
	return entry.definition(), true
}

//go:embed schema/*.json
var schemas embed.FS

// entry is a kind and how its args are read.
type entry struct {
	kind        Kind
	effect      Effect
	description string
	parse       func(*checker, json.RawMessage) (Task, error)
}

func (e entry) definition() Definition {
	schema := func(of string) json.RawMessage {
		text, err := schemas.ReadFile("schema/" + string(e.kind) + "." + of + ".json")
		if err != nil {
			panic(err) // the file is missing from the build
		}
		return text
	}
	return Definition{e.kind, e.description, e.effect, schema("args"), schema("result")}
}

// entries is the table of kinds. Nothing changes it.
var entries = []entry{
	{DBSelectOne, EffectNone, "Read one row: the first that matches, by order_by.", read[SelectOneArgs]},
	{DBSelectMany, EffectNone, "Read rows, up to limit.", read[SelectManyArgs]},
	{DBInsertOne, EffectDatabase, "Insert one row.", read[InsertOneArgs]},
	{DBInsertMany, EffectDatabase, "Insert rows in one transaction.", read[InsertManyArgs]},
	{DBUpdateOne, EffectDatabase, "Update the row that matches; more than one match changes nothing.", read[UpdateOneArgs]},
	{DBUpdateMany, EffectDatabase, "Update the rows that match, up to max_affected.", read[UpdateManyArgs]},
	{DBDeleteOne, EffectDatabase, "Delete the row that matches; more than one match changes nothing.", read[DeleteOneArgs]},
	{DBDeleteMany, EffectDatabase, "Delete the rows that match, up to max_affected.", read[DeleteManyArgs]},
	{DBQuery, EffectDatabase, "Run a statement that is configured under a name.", read[QueryArgs]},
	{DBTransaction, EffectDatabase, "Run several operations of which all happen or none does.", read[TransactionArgs]},
	{HTTPRequest, EffectUpstream, "Call an API and keep its answer.", read[HTTPRequestArgs]},
	{HTTPBatch, EffectUpstream, "Call APIs side by side and keep what came of each call.", read[HTTPBatchArgs]},
	{WSExchange, EffectUpstream, "Talk to an API over a WebSocket and keep what it said.", read[WSExchangeArgs]},
	{CacheWarm, EffectNone, "Have the cache hold what others will read, before it expires.", read[WarmArgs]},
	{SystemHealth, EffectNone, "Look at databases, clients, Redis and the ledger.", read[HealthArgs]},
	{SystemNoop, EffectNone, "Do nothing, for smoke tests and benchmarks.", read[NoopArgs]},
}

func find(kind string) (entry, bool) {
	for _, entry := range entries {
		if string(entry.kind) == kind {
			return entry, true
		}
	}
	return entry{}, false
}

// read decodes the args of a kind and checks them.
func read[A interface{ task(*checker) Task }](c *checker, text json.RawMessage) (Task, error) {
	var args A
	if err := strictjson.DecodeAt("/args", text, &args); err != nil {
		return nil, err
	}
	return args.task(c), nil
}
