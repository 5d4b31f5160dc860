package dbop_test

import (
	"encoding/json"
	"fmt"

	"github.com/asyncops/asyncops/dbop"
)

func ExampleParseWhere() {
	where, errs := dbop.ParseWhere(json.RawMessage(`{"status":"active","age":{"$gte":18},"deleted_at":null}`), "/args/where")
	for _, part := range where.(dbop.And) {
		fmt.Printf("%+v\n", part)
	}
	fmt.Println(len(errs), dbop.CannotExclude(where))

	_, errs = dbop.ParseWhere(json.RawMessage(`{"age":{"$gtee":18}}`), "/args/where")
	fmt.Println(errs[0].Pointer, errs[0].Code)
	// Output:
	// {Column:status Op:$eq Value:{Kind:3 Text:active}}
	// {Column:age Op:$gte Value:{Kind:2 Text:18}}
	// {Column:deleted_at Negated:false}
	// 0 false
	// /args/where/age/$gtee unknown_operator
}
