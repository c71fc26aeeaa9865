package tape

import "unicode/utf8"

// value reads the value that begins at pos, and all below it.
func (d *Doc) value(depth int) bool {
	if d.pos >= len(d.src) || depth > maxDepth+1 {
		return false
	}
	at := len(d.nodes)
	kind := Kind(d.src[d.pos])
	d.nodes = append(d.nodes, node{start: int32(d.pos)}) //nolint:gosec // Read refuses longer documents
	plain, ok := false, false
	switch kind {
	case Object:
		ok = depth <= maxDepth && d.object(depth)
	case Array:
		ok = depth <= maxDepth && d.array(depth)
	case String:
		plain, ok = d.text()
	case True:
		ok = d.word("true")
	case False:
		ok = d.word("false")
	case Null:
		ok = d.word("null")
	default:
		kind, ok = Number, d.number()
	}
	n := &d.nodes[at]
	n.kind, n.plain = kind, plain
	n.end, n.next = int32(d.pos), int32(len(d.nodes)) //nolint:gosec // as above
	return ok
}

func (d *Doc) object(depth int) bool {
	d.pos++
	d.space()
	if d.take('}') {
		return true
	}
	for {
		start := d.pos + 1
		plain, ok := d.text()
		if !ok {
			return false
		}
		end := d.pos - 1
		d.space()
		if !d.take(':') {
			return false
		}
		d.space()
		at := len(d.nodes)
		if !d.value(depth + 1) {
			return false
		}
		d.setName(at, start, end, plain)
		d.space()
		if d.take('}') {
			return true
		}
		if !d.take(',') {
			return false
		}
		d.space()
	}
}

func (d *Doc) setName(at, start, end int, plain bool) {
	n := &d.nodes[at]
	n.nameStart, n.nameEnd = int32(start), int32(end) //nolint:gosec // Read refuses longer documents
	if !plain {
		d.names = append(d.names, unescape(nil, d.src[start:end]))
		n.decoded = int32(len(d.names)) //nolint:gosec // as above
	}
}

func (d *Doc) array(depth int) bool {
	d.pos++
	d.space()
	if d.take(']') {
		return true
	}
	for {
		if !d.value(depth + 1) {
			return false
		}
		d.space()
		if d.take(']') {
			return true
		}
		if !d.take(',') {
			return false
		}
		d.space()
	}
}

// text passes a string. plain says that it has no escapes and is UTF-8.
func (d *Doc) text() (plain, ok bool) {
	if !d.take('"') {
		return false, false
	}
	start, escapes, ascii := d.pos, false, true
	for d.pos < len(d.src) {
		switch c := d.src[d.pos]; {
		case c == '"':
			d.pos++
			return !escapes && (ascii || utf8.Valid(d.src[start:d.pos-1])), true
		case c == '\\':
			escapes = true
			if !d.escape() {
				return false, false
			}
		case c < ' ':
			return false, false
		default:
			ascii = ascii && c < utf8.RuneSelf
			d.pos++
		}
	}
	return false, false
}

func (d *Doc) escape() bool {
	rest := d.src[d.pos+1:]
	if len(rest) == 0 {
		return false
	}
	switch rest[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		d.pos += 2
		return true
	case 'u':
		_, ok := hex4(rest[1:])
		d.pos += 6
		return ok
	}
	return false
}

func (d *Doc) number() bool {
	d.take('-')
	if !d.take('0') && !d.digits() {
		return false
	}
	if d.take('.') && !d.digits() {
		return false
	}
	if d.take('e') || d.take('E') {
		_ = d.take('+') || d.take('-')
		return d.digits()
	}
	return true
}

func (d *Doc) digits() bool {
	start := d.pos
	for d.pos < len(d.src) && '0' <= d.src[d.pos] && d.src[d.pos] <= '9' {
		d.pos++
	}
	return d.pos > start
}

func (d *Doc) word(w string) bool {
	if len(d.src)-d.pos < len(w) || string(d.src[d.pos:d.pos+len(w)]) != w {
		return false
	}
	d.pos += len(w)
	return true
}

func (d *Doc) take(c byte) bool {
	if d.pos < len(d.src) && d.src[d.pos] == c {
		d.pos++
		return true
	}
	return false
}

func (d *Doc) space() {
	for d.pos < len(d.src) {
		switch d.src[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}
