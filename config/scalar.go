package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"
)

// scalar reads one value. What was expanded, and what comes from a variable,
// may be of any type; what stands in the file has the type it is written as.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.problem(n, path, "is %s; write one value", describe(n))
		return
	}
	tag := n.ShortTag()
	if tag == "!!null" {
		d.problem(n, path, "has no value; write one, or remove the key")
		return
	}
	src, expanded, err := d.expand(n.Value)
	if err != nil {
		d.problem(n, path, "%v", err)
		return
	}
	if expanded || tag == anyTag {
		tag = ""
	}
	if err := setScalar(v, src, tag); err != nil {
		d.problem(n, path, "%v", err)
	}
}

// anyTag marks the text of a variable, which has no type of its own.
const anyTag = "!any"

// expand resolves ${…} in a value; the bool says whether there was any.
func (d *decoder) expand(value string) (*source, bool, error) {
	t, err := parseTemplate(value, d.getenv)
	if err != nil {
		return nil, false, err
	}
	text, err := t.render()
	if err != nil {
		return nil, false, err
	}
	return newSource(t, text), text != value, nil
}

var (
	errQuote = errors.New("is not text; put it in quotes")
	errInt   = errors.New("is not a whole number; write digits alone, such as 20")
	errFloat = errors.New("is not a number; write it like 0.9")
	errBool  = errors.New("is not true or false; write one of them, without quotes")
	errTime  = errors.New("is not a time; write it like 2027-01-31T00:00:00Z")
	errNet   = errors.New("is not a network; write an address or a CIDR such as 10.0.0.0/8")
	errUnit  = errors.New("has no unit; write it like 30s")
)

// setScalar reads the text of src into v. tag is the type that the text is
// written as, or empty for any. Errors hold nothing of secrets.
func setScalar(v reflect.Value, src *source, tag string) error {
	text := src.text
	switch p := v.Addr().Interface().(type) {
	case *Duration:
		if tag != "" && tag != "!!str" && text != "0" {
			return errUnit
		}
		return asProblem(p.UnmarshalText([]byte(text)))
	case *Size:
		return asProblem(p.UnmarshalText([]byte(text)))
	case *time.Time:
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return errTime
		}
		*p = t.UTC()
		return nil
	}
	switch v.Kind() {
	case reflect.Bool:
		if text != "true" && text != "false" || tag == "!!str" {
			return errBool
		}
		v.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil || tag == "!!str" {
			return errInt
		}
		v.SetInt(int64(n))
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || tag == "!!str" {
			return errFloat
		}
		v.SetFloat(f)
	default:
		if tag != "" && tag != "!!str" {
			return errQuote
		}
		return setText(v, src)
	}
	return nil
}

// setText reads what is always written as text. A secret keeps its source.
func setText(v reflect.Value, src *source) error {
	switch p := v.Addr().Interface().(type) {
	case *Secret:
		*p = Secret{}
		if src.text != "" {
			*p = src.secret()
		}
	case *DSN:
		dsn, err := parseDSN(src.secret())
		if err != nil {
			return asProblem(err)
		}
		src.accept = func(text string) bool { _, err := ParseDSN(text); return err == nil }
		*p = dsn
	case *RedisURL:
		if src.text == "" {
			*p = RedisURL{}
			return nil
		}
		url, err := parseRedisURL(src.secret())
		if err != nil {
			return asProblem(err)
		}
		src.accept = func(text string) bool { _, err := ParseRedisURL(text); return err == nil }
		*p = url
	case *netip.Prefix:
		return setPrefix(p, src.text)
	default:
		v.SetString(src.text)
	}
	return nil
}

func setPrefix(p *netip.Prefix, text string) error {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		*p = netip.PrefixFrom(addr, addr.BitLen())
		return nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return errNet
	}
	*p = prefix.Masked()
	return nil
}

// asProblem puts a verb before the error of a parser that says "not a …".
func asProblem(err error) error {
	if errors.Is(err, errDSN) || errors.Is(err, errRedisURL) {
		return fmt.Errorf("is %w", err)
	}
	return err
}
