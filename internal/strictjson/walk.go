package strictjson

import (
	"bytes"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// Members ranges over the members of an object in the order of the text: names
// unescaped, values as slices of raw. raw must have passed Check; of anything
// but an object there are none.
func Members(raw []byte) iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		dec, done := open(raw, '{')
		defer done()
		for dec.PeekKind() == '"' {
			name, err := dec.ReadToken()
			if err != nil {
				return
			}
			text := name.String()
			value, ok := next(dec, raw)
			if !ok || !yield(text, value) {
				return
			}
		}
	}
}

// Elements ranges over the elements of an array, as slices of raw. raw must
// have passed Check; of anything but an array there are none.
func Elements(raw []byte) iter.Seq2[int, jsontext.Value] {
	return func(yield func(int, jsontext.Value) bool) {
		dec, done := open(raw, '[')
		defer done()
		for i := 0; dec.StackDepth() > 0 && dec.PeekKind() != ']'; i++ {
			value, ok := next(dec, raw)
			if !ok || !yield(i, value) {
				return
			}
		}
	}
}

// open returns a decoder that has read the opening delimiter, or one at the
// end of its text when raw begins with another; done must be called.
func open(raw []byte, delimiter jsontext.Kind) (dec *jsontext.Decoder, done func()) {
	if jsontext.Value(raw).Kind() != delimiter {
		raw = nil
	}
	dec, done = decoder(raw)
	if raw != nil {
		if _, err := dec.ReadToken(); err != nil {
			dec.Reset(new(bytes.Buffer))
		}
	}
	return dec, done
}

// next reads one value and answers with its place in raw.
func next(dec *jsontext.Decoder, raw []byte) (jsontext.Value, bool) {
	value, err := dec.ReadValue()
	if err != nil {
		return nil, false
	}
	end := int(dec.InputOffset())
	return jsontext.Value(raw[end-len(value) : end : end]), true
}

// decoder takes a decoder of data from the pool; done puts it back.
func decoder(data []byte) (dec *jsontext.Decoder, done func()) {
	dec = decoders.Get().(*jsontext.Decoder)
	dec.Reset(bytes.NewBuffer(data))
	return dec, func() {
		dec.Reset(new(bytes.Buffer)) // let go of data
		decoders.Put(dec)
	}
}
