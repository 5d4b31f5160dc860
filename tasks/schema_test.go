package tasks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// described is a kind, the Go types of its args and result, and results that it
// may have.
type described struct {
	kind         tasks.Kind
	args, result any
	results      []any
}

func kinds() []described {
	row := json.RawMessage(`{"id":1,"name":"Ada"}`)
	text, one := "hi", int64(1)
	return []described{
		{tasks.DBSelectOne, tasks.SelectOneArgs{}, tasks.SelectOneResult{}, []any{tasks.SelectOneResult{}, tasks.SelectOneResult{Row: row, Cached: true}}},
		{tasks.DBSelectMany, tasks.SelectManyArgs{}, tasks.SelectManyResult{}, []any{tasks.SelectManyResult{Rows: []json.RawMessage{row}, Count: 1}}},
		{tasks.DBInsertOne, tasks.InsertOneArgs{}, tasks.InsertOneResult{}, []any{tasks.InsertOneResult{}, tasks.InsertOneResult{ID: json.RawMessage("7"), Row: row, RowsAffected: 1}}},
		{tasks.DBInsertMany, tasks.InsertManyArgs{}, tasks.InsertManyResult{}, []any{tasks.InsertManyResult{RowsAffected: 400}}},
		{tasks.DBUpdateOne, tasks.UpdateOneArgs{}, tasks.UpdateOneResult{}, []any{tasks.UpdateOneResult{RowsAffected: 1}}},
		{tasks.DBUpdateMany, tasks.UpdateManyArgs{}, tasks.UpdateManyResult{}, []any{tasks.UpdateManyResult{RowsAffected: 2}}},
		{tasks.DBDeleteOne, tasks.DeleteOneArgs{}, tasks.DeleteOneResult{}, []any{tasks.DeleteOneResult{}}},
		{tasks.DBDeleteMany, tasks.DeleteManyArgs{}, tasks.DeleteManyResult{}, []any{tasks.DeleteManyResult{RowsAffected: 2}}},
		{tasks.DBQuery, tasks.QueryArgs{}, tasks.QueryResult{}, []any{tasks.QueryResult{Rows: &[]json.RawMessage{row}, Count: &one, Cached: new(bool)},
			tasks.QueryResult{RowsAffected: &one}, tasks.QueryResult{Rows: &[]json.RawMessage{row}, RowsAffected: &one}}},
		{tasks.DBTransaction, tasks.TransactionArgs{}, tasks.TransactionResult{}, []any{tasks.TransactionResult{Results: []json.RawMessage{row, row}}}},
		{tasks.HTTPRequest, tasks.HTTPRequestArgs{}, tasks.HTTPResult{}, []any{tasks.HTTPResult{Status: 200, Headers: map[string]string{"etag": "x"}, Text: &text, Sends: 1}}},
		{tasks.HTTPBatch, tasks.HTTPBatchArgs{}, tasks.HTTPBatchResult{}, []any{tasks.HTTPBatchResult{
			Responses: []json.RawMessage{
				json.RawMessage(`{"status":200,"headers":{},"text":"","duration_ms":1,"cached":false,"sends":1}`),
				json.RawMessage(`{"error":{"code":"upstream_status","message":"it answered 404"}}`), json.RawMessage("null"),
			}, Succeeded: 1, Failed: 1,
		}}},
		{tasks.WSExchange, tasks.WSExchangeArgs{}, tasks.WSExchangeResult{}, []any{
			tasks.WSExchangeResult{Received: []json.RawMessage{}, CloseCode: 1000},
			tasks.WSExchangeResult{Received: []json.RawMessage{json.RawMessage(`{"a":1}`), json.RawMessage(`"hi"`)}, Skipped: 1, CloseCode: 4000, Subprotocol: "v1"},
		}},
		{tasks.CacheWarm, tasks.WarmArgs{}, tasks.WarmResult{}, []any{tasks.WarmResult{
			Items: []tasks.WarmOutcome{{Status: tasks.Warmed}, {Status: tasks.WarmFailed, Error: &job.Error{Code: job.CodeTimeout, Message: "late"}}}, Warmed: 1, Failed: 1,
		}}},
		{tasks.SystemHealth, tasks.HealthArgs{}, tasks.HealthResult{}, []any{tasks.HealthResult{
			Status: "down", Targets: []tasks.TargetHealth{{Type: "database", Name: "main", Status: "down", Detail: "no answer in time"}},
		}}},
		{tasks.SystemNoop, tasks.NoopArgs{}, tasks.NoopResult{}, []any{tasks.NoopResult{}}},
	}
}

func compile(t *testing.T, name string, text []byte) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(name, document); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	schema, err := compiler.Compile(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, text []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return schema.Validate(value)
}

// members lists the members of an object's type, sorted, those of members that
// are objects of named types themselves as "cache.key".
func members(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
		if field.Type.Kind() == reflect.Pointer && field.Type.Elem().Kind() == reflect.Struct {
			for _, inner := range members(field.Type.Elem()) {
				names = append(names, name+"."+inner)
			}
		}
	}
	slices.Sort(names)
	return names
}

// properties lists the properties of a schema likewise.
func properties(schema *jsonschema.Schema) []string {
	var names []string
	for name, property := range schema.Properties {
		names = append(names, name)
		for _, inner := range properties(property) {
			names = append(names, name+"."+inner)
		}
	}
	slices.Sort(names)
	return names
}

// TestSchemasAreTheTypes compares every schema with the Go type it describes,
// member by member.
func TestSchemasAreTheTypes(t *testing.T) {
	t.Parallel()
	for i, definition := range tasks.Definitions() {
		if i >= len(kinds()) || kinds()[i].kind != definition.Name {
			t.Fatalf("the table of this test lacks %s", definition.Name)
		}
		kind := kinds()[i]
		for _, side := range []struct {
			name   string
			schema json.RawMessage
			value  any
		}{{"args", definition.ArgsSchema, kind.args}, {"result", definition.ResultSchema, kind.result}} {
			name := fmt.Sprintf("%s of %s", side.name, kind.kind)
			schema := compile(t, string(kind.kind)+"."+side.name, side.schema)
			if diff := cmp.Diff(members(reflect.TypeOf(side.value)), properties(schema)); diff != "" {
				t.Errorf("%s: -type +schema\n%s", name, diff)
			}
			if schema.AdditionalProperties != false || schema.Title != name {
				t.Errorf("%s: the schema has the title %q or allows other members", name, schema.Title)
			}
		}
		if definition.Description == "" || definition.Effect == "" {
			t.Errorf("%s: no description or effect", kind.kind)
		}
	}
}

// TestSchemaOfSteps compares what the schema says of an operation in a
// transaction with its Go type and the kinds that there are.
func TestSchemaOfSteps(t *testing.T) {
	t.Parallel()
	definition, _ := tasks.Lookup("db.transaction")
	step := compile(t, "db.transaction", definition.ArgsSchema).Properties["operations"].Items2020
	if diff := cmp.Diff(members(reflect.TypeFor[tasks.StepArgs]()), properties(step)); diff != "" {
		t.Errorf("-type +schema\n%s", diff)
	}
	for _, definition := range tasks.Definitions() {
		op, database := strings.CutPrefix(string(definition.Name), "db.")
		if want := database && op != "transaction"; want != slices.Contains(step.Properties["op"].Enum.Values, any(op)) {
			t.Errorf("the schema's list of operations has %s: %t, want %t", op, !want, want)
		}
	}
}

func TestSchemasTakeExamples(t *testing.T) {
	t.Parallel()
	for _, e := range examples() {
		definition, ok := tasks.Lookup(e.kind)
		if !ok {
			t.Fatalf("Lookup(%q) = false", e.kind)
		}
		if err := validate(t, compile(t, e.kind, definition.ArgsSchema), []byte(e.args)); err != nil {
			t.Errorf("%s/%s: Parse takes the args, their schema does not: %v", e.kind, e.name, err)
		}
	}
	for _, kind := range kinds() {
		definition, _ := tasks.Lookup(string(kind.kind))
		schema := compile(t, string(kind.kind), definition.ResultSchema)
		for _, result := range kind.results {
			text, err := json.Marshal(result)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(t, schema, text); err != nil {
				t.Errorf("%s: the result %s does not fit its schema: %v", kind.kind, text, err)
			}
		}
	}
}

// TestSchemasRefuse holds the schemas to those faults that a schema can tell:
// unknown members, other types and bounds of numbers at the top of args. (What a
// duration may be, a schema cannot tell.)
func TestSchemasRefuse(t *testing.T) {
	t.Parallel()
	told := 0
	for _, r := range refusals() {
		definition, ok := tasks.Lookup(r.kind)
		_, code, _ := strings.Cut(r.want, "/args/")
		_, code, _ = strings.Cut(code, " ")
		top := strings.Count(r.want, "/") == 2
		if !ok || !top || !slices.Contains([]string{"unknown_field", "wrong_type", "out_of_range"}, code) || strings.Contains(r.args, `"sleep":"`) || strings.Contains(r.args, `"timeout":"`) {
			continue
		}
		told++
		if validate(t, compile(t, r.kind, definition.ArgsSchema), []byte(r.args)) == nil {
			t.Errorf("%s/%s: Parse refuses the args (%s), their schema takes them", r.kind, r.name, r.want)
		}
	}
	if told < 20 {
		t.Errorf("only %d refusals were compared; want 20 or more", told)
	}
}

func TestEverySchemaFileBelongsToAKind(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir("schema")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(files), 2*len(tasks.Definitions()); got != want {
		t.Errorf("schema holds %d files, want %d", got, want)
	}
}

func TestDefinitions(t *testing.T) {
	t.Parallel()
	effects := map[tasks.Effect][]tasks.Kind{}
	for _, d := range tasks.Definitions() {
		effects[d.Effect] = append(effects[d.Effect], d.Name)
		if got, ok := tasks.Lookup(string(d.Name)); !ok || got.Name != d.Name {
			t.Errorf("Lookup(%q) = %v, %v", d.Name, got.Name, ok)
		}
	}
	want := map[tasks.Effect][]tasks.Kind{
		tasks.EffectNone:     {tasks.DBSelectOne, tasks.DBSelectMany, tasks.CacheWarm, tasks.SystemHealth, tasks.SystemNoop},
		tasks.EffectDatabase: {tasks.DBInsertOne, tasks.DBInsertMany, tasks.DBUpdateOne, tasks.DBUpdateMany, tasks.DBDeleteOne, tasks.DBDeleteMany, tasks.DBQuery, tasks.DBTransaction},
		tasks.EffectUpstream: {tasks.HTTPRequest, tasks.HTTPBatch, tasks.WSExchange},
	}
	if diff := cmp.Diff(want, effects); diff != "" {
		t.Errorf("effects: -want +got\n%s", diff)
	}
	if _, ok := tasks.Lookup("db.drop"); ok {
		t.Error(`Lookup("db.drop") = true, want false`)
	}
	if tasks.CodeUnknownKind != string(job.CodeUnknownKind) {
		t.Errorf("CodeUnknownKind = %q", tasks.CodeUnknownKind)
	}
}
