package api

import (
	"context"
	"encoding/json"

	"github.com/asyncops/asyncops/tasks"
)

// kindItem is a kind as it is shown.
type kindItem struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Effect      tasks.Effect    `json:"effect"`
	Args        json.RawMessage `json:"args"`   // JSON Schema
	Result      json.RawMessage `json:"result"` // JSON Schema
}

func kindItems() []kindItem {
	var list []kindItem
	for _, d := range tasks.Definitions() {
		list = append(list, kindItem{string(d.Name), d.Description, d.Effect, d.ArgsSchema, d.ResultSchema})
	}
	return list
}

// listKinds is GET /v1/kinds: those that the caller may submit.
func (s *Server) listKinds(_ context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	return s.sendValue(c, listOf(allowed(c.who.kinds, s.kinds, func(k kindItem) string { return k.Name })))
}

// allowed is the part of a list that a key's limit names.
func allowed[T any](limit []string, list []T, name func(T) string) []T {
	if limit == nil {
		return list
	}
	var part []T
	for _, item := range list {
		if may(limit, name(item)) {
			part = append(part, item)
		}
	}
	return part
}
