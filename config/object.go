package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"reflect"
	"strconv"

	"gopkg.in/yaml.v3"
)

// object reads a mapping of any content into v as JSON. Values are expanded.
func (d *decoder) object(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.problem(n, path, "is %s; write a mapping, key: value", describe(n))
		return
	}
	value := d.any(n, path)
	if d.report.hasProblemIn(path) {
		return
	}
	raw, err := json.Marshal(value)
	if err != nil {
		d.problem(n, path, "cannot be written as JSON: %v; use plain values", err)
		return
	}
	v.SetBytes(raw)
}

// any returns what encoding/json writes as n.
func (d *decoder) any(n *yaml.Node, path string) any {
	at := n
	n = resolve(n)
	if !d.enter(n, path) {
		return nil
	}
	defer d.leave()
	d.report.origins[path] = d.origin(at)
	switch n.Kind {
	case yaml.MappingNode:
		pairs, _ := d.pairs(n, path)
		object := make(map[string]any, len(pairs))
		for _, p := range pairs {
			object[p.key.Value] = d.any(p.value, joinPath(path, p.key.Value))
			d.report.origins[joinPath(path, p.key.Value)] = d.origin(p.key)
		}
		return object
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = d.any(item, indexPath(path, i))
		}
		return list
	}
	value, err := d.plain(n)
	if err != nil {
		d.problem(at, path, "%v", err)
	}
	return value
}

func (d *decoder) plain(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		return b, n.Decode(&b)
	case "!!int":
		i, ok := new(big.Int).SetString(n.Value, 0)
		if !ok {
			return nil, errInt
		}
		return json.Number(i.String()), nil
	case "!!float":
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value), nil
		}
		f, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			return nil, errFloat
		}
		return f, nil
	default:
		src, _, err := d.expand(n.Value)
		if err != nil {
			return nil, err
		}
		return src.text, nil
	}
}

var errJSON = errors.New("is not JSON")

// parseJSON reads text as one JSON value into nodes, as YAML would be, but
// with JSON's grammar alone.
func parseJSON(text string) (*yaml.Node, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	node, err := jsonNode(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errJSON
	}
	return node, nil
}

func jsonNode(dec *json.Decoder, depth int) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil || depth > maxDepth {
		return nil, errJSON
	}
	switch t := token.(type) {
	case json.Delim:
		node := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		if t == '{' {
			node = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		}
		for dec.More() {
			item, err := jsonNode(dec, depth+1)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, item)
		}
		_, err := dec.Token() // the closing delimiter
		if err != nil {
			return nil, errJSON
		}
		return node, nil
	case string:
		return jsonScalar("!!str", t), nil
	case json.Number:
		if _, ok := new(big.Int).SetString(t.String(), 10); ok {
			return jsonScalar("!!int", t.String()), nil
		}
		return jsonScalar("!!float", t.String()), nil
	case bool:
		return jsonScalar("!!bool", strconv.FormatBool(t)), nil
	default:
		return jsonScalar("!!null", "null"), nil
	}
}

func jsonScalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}
