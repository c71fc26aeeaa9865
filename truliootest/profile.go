package truliootest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// inventedStatus is one of the seen statuses, most of them accepted.
func inventedStatus(chance uint64) string {
	common := [...]string{"ACCEPTED", "REJECTED", "PENDING", "PENDING_REVIEW", "ABANDONED", "COMPLETED", "FAILED"}
	if n := chance % 16; n < uint64(len(common)) {
		return common[n]
	}
	return common[0]
}

// hexID is 24 hex characters from one number.
func hexID(n uint64) string {
	var raw [12]byte
	binary.BigEndian.PutUint64(raw[:], mix(n))
	binary.BigEndian.PutUint32(raw[8:], uint32(mix(n+1))) //nolint:gosec // the low half is as good
	return hex.EncodeToString(raw[:])
}

func (a *Account) flowID(k int) string {
	return hexID(mix(a.spec.Seed^0xf10) + uint64(k)) //nolint:gosec // an index is not negative
}

// elementID is the n-th element of a workflow's form, the same for all clients.
func (a *Account) elementID(k, n int) string {
	return hexID(mix(a.spec.Seed^0xe1e) + uint64(k)<<16 + uint64(n)) //nolint:gosec // indices are not negative
}

// business reports whether client i is a business, as one in four is.
func (a *Account) business(i int) bool { return a.spec.Workflows > 1 && a.hash(i, 4)%4 == 0 }

// flows are the workflows that client i has been through: none for one in
// forty, two for one in five. The odd ones are for businesses.
func (a *Account) flows(i int) []int {
	chance := a.hash(i, 5)
	if chance%40 == 0 || a.spec.Workflows < 1 {
		return nil
	}
	odd := 0
	if a.business(i) {
		odd = 1
	}
	choices := (a.spec.Workflows + 1 - odd) / 2
	first := int(chance / 40 % uint64(choices)) //nolint:gosec // less than choices
	flows := []int{first*2 + odd}
	if chance%5 == 1 && choices > 1 {
		flows = append(flows, (first+1)%choices*2+odd)
	}
	return flows
}

func (a *Account) flowsOf(i int) []string {
	if own := a.records[i].own; own != nil {
		return own.flows
	}
	flows := a.flows(i)
	ids := make([]string, len(flows))
	for n, k := range flows {
		ids[n] = a.flowID(k)
	}
	return ids
}

// fileKeys are the keys of client i's files: up to three, all in its first workflow.
func (a *Account) fileKeys(i int) []string {
	if own := a.records[i].own; own != nil {
		return own.keys
	}
	flows := a.flows(i)
	if len(flows) == 0 {
		return nil
	}
	keys := make([]string, a.hash(i, 6)%4)
	for n := range keys {
		keys[n] = a.fileKey(i, flows[0], n)
	}
	return keys
}

// fileElement names the n-th upload field. Its odd characters give the key + and /.
func (a *Account) fileElement(k, n int) string {
	id := a.elementID(k, 100+n)
	return "doc~" + id[:2] + "?" + id[2:14]
}

func (a *Account) fileKey(i, k, n int) string {
	chance := a.hash(i, 7+uint64(n)) //nolint:gosec // an index is not negative
	at := time.Unix(int64(a.records[i].born)+int64(chance%600), int64(chance%99_999_999)*10+1).UTC()
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s/%s/%s/%s-%08d.jpg",
		a.flowID(k), a.id(i), a.fileElement(k, n), at.Format("2006-01-02T15:04:05.000000000Z"), chance%1e8))
}

// hasFile reports whether some client of the account has the file.
func (a *Account) hasFile(key string) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.ownKeys[key] > 0 {
		return true
	}
	path, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return false
	}
	parts := strings.Split(string(path), "/")
	if len(parts) != 4 {
		return false
	}
	i, ok := a.find(parts[1])
	if !ok {
		return false
	}
	return slices.Contains(a.fileKeys(i), key)
}

func (a *Account) appendWorkflow(b []byte, k int, d Dialect) []byte {
	p := jsonWriter{b: b, dialect: d}
	p.open("", '{')
	p.text("id", a.flowID(k))
	kind := "Personal onboarding"
	if k%2 == 1 {
		kind = "Business onboarding"
	}
	p.text("name", fmt.Sprintf("%s %d", kind, k+1))
	p.flag("corporate", k%2 == 1)
	p.flag("published", k%5 != 4)
	p.time("created", defaultEnd.Unix()-int64(k+1)*86400*30)
	p.end('}')
	return p.b
}

// appendRow is a client's row in the list.
func (a *Account) appendRow(b []byte, i int, d Dialect) []byte {
	if own := a.records[i].own; own != nil {
		return append(b, own.row...)
	}
	p := jsonWriter{b: b, dialect: d}
	p.open("", '{')
	a.summary(&p, i)
	a.user(&p, i)
	p.end('}')
	return p.b
}

// summary is the common beginning of the row and the profile.
func (a *Account) summary(p *jsonWriter, i int) {
	r := &a.records[i]
	p.text("id", a.id(i))
	if owner, ok := a.owner(i); ok {
		p.open("ownerIds", '[')
		p.text("", a.id(owner))
		p.end(']')
	} else if a.hash(i, 10)%12 == 0 {
		p.raw("ownerIds", "null")
	} else {
		p.raw("ownerIds", "[]")
	}
	p.date("created", r.created)
	p.date("lastModified", r.modified)
	p.upper("profileType", "NORMAL")
	p.upper("status", r.status)
	p.flag("statusManuallyChanged", r.manual)
}

// owner is the person who owns business i: the last person who came before it. A
// person has no owner, and neither has a business that came before all people.
func (a *Account) owner(i int) (int, bool) {
	if !a.business(i) {
		return 0, false
	}
	for j := i - 1; j >= 0; j-- {
		if a.records[j].own == nil && !a.business(j) {
			return j, true
		}
	}
	return 0, false
}

// uuid is an identifier of the account, the same for all clients.
func (a *Account) uuid(n uint64) string {
	id := hexID(mix(a.spec.Seed^n)) + hexID(n)
	return id[:8] + "-" + id[8:12] + "-4" + id[13:16] + "-8" + id[17:20] + "-" + id[20:32]
}

// user writes the account's identifier, which is not a person.
func (a *Account) user(p *jsonWriter, i int) {
	if a.hash(i, 11)%9 != 0 {
		p.text("user", a.uuid(0x05e7))
	}
}

// profile is the answer of GET query/client/{id}.
func (a *Account) profile(id string, full bool, d Dialect) ([]byte, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	i, ok := a.find(id)
	if !ok {
		return nil, false
	}
	if own := a.records[i].own; own != nil {
		if full {
			return own.full, true
		}
		return own.profile, true
	}
	size := 6 << 10
	if full {
		size += a.spec.DetailsBytes * 3 / 2
	}
	p := jsonWriter{b: make([]byte, 0, size), dialect: d}
	p.open("", '{')
	a.summary(&p, i)
	a.flowData(&p, i, full)
	a.notes(&p, i)
	a.tasks(&p, i)
	a.user(&p, i)
	p.end('}')
	return p.b, true
}

func (a *Account) flowData(p *jsonWriter, i int, full bool) {
	flows := a.flows(i)
	if len(flows) == 0 {
		p.raw("flowData", "null")
		return
	}
	files := a.fileKeys(i)
	p.openMap("flowData")
	for n, k := range flows {
		p.open(a.flowID(k), '{')
		p.text("id", a.flowID(k))
		p.flag("completed", a.records[i].status != "PENDING" && a.records[i].status != "ABANDONED")
		answers := a.answers(i, n, k)
		a.fields(p, k, answers)
		a.files(p, k, files)
		a.services(p, i, k, answers, checks(len(files) > 0, a.business(i)), full, len(flows))
		files = nil // all are in the first
		p.end('}')
	}
	p.end('}')
}

// fields are the person's answers.
func (a *Account) fields(p *jsonWriter, k int, answers []entered) {
	p.openMap("fieldData")
	for n, e := range answers {
		id := a.elementID(k, n)
		p.open(id, '{')
		p.text("id", id)
		p.text("name", e.name)
		p.open("value", '[')
		p.text("", e.value)
		p.end(']')
		if e.role != "" {
			p.text("role", e.role)
		}
		if e.normalized != "" {
			p.text("normalizedName", e.normalized)
		}
		p.end('}')
	}
	p.end('}')
}

// files names the uploads twice, as the vendor does.
func (a *Account) files(p *jsonWriter, k int, keys []string) {
	if len(keys) == 0 {
		p.raw("fileData", "null")
		p.raw("enhancedFileData", "{}")
		return
	}
	p.openMap("fileData")
	for n, key := range keys {
		p.text(a.fileElement(k, n), key)
	}
	p.end('}')
	p.openMap("enhancedFileData")
	for n, key := range keys {
		p.open(a.fileElement(k, n), '[')
		p.text("", key)
		p.end(']')
	}
	p.end('}')
}

func (a *Account) notes(p *jsonWriter, i int) {
	switch chance := a.hash(i, 13); chance % 6 {
	case 0:
	case 1:
		p.raw("notes", "null")
	case 2:
		p.raw("notes", "[]")
	default:
		p.open("notes", '[')
		p.open("", '{')
		p.text("id", hexID(chance))
		p.text("text", "Called back, documents are on their way.")
		p.text("createdBy", "operator1@example.com")
		p.text("created", a.moment(i, chance%86400))
		p.end('}')
		p.end(']')
	}
}

func (a *Account) tasks(p *jsonWriter, i int) {
	switch chance := a.hash(i, 14); chance % 6 {
	case 0:
	case 1:
		p.raw("tasks", "null")
	case 2:
		p.raw("tasks", "[]")
	default:
		p.open("tasks", '[')
		p.open("", '{')
		p.text("id", hexID(chance))
		p.text("text", "Check the proof of address.")
		p.flag("resolved", chance%2 == 0)
		p.text("createdBy", "operator2@example.com")
		p.text("updatedBy", "operator3@example.com")
		p.text("created", a.moment(i, chance%86400))
		p.text("updated", a.moment(i, 86400+chance%86400))
		p.end('}')
		p.end(']')
	}
}

// moment is a time after the client's creation, as notes and tasks have it.
func (a *Account) moment(i int, after uint64) string {
	return time.Unix(int64(a.records[i].born)+int64(after), 0).UTC().Format(time.RFC3339) //nolint:gosec // two days at most
}

// choose is one of the choices.
func choose[T any](rng *rand.Rand, choices []T) T { return choices[rng.IntN(len(choices))] }
