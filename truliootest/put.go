package truliootest

import (
	"bytes"
	_ "embed"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ownClient is a client of Put.
type ownClient struct {
	id            string
	profile, full []byte
	row           []byte // of the list
	flows, keys   []string
}

// Put adds a client of your own, or replaces the one of the same id, and
// returns the id. The profile is served byte for byte, with or without full
// service details. Its list row has the profile's own top-level values; its
// files are those that fileData and enhancedFileData name. It must be a JSON
// object with an "id".
func (a *Account) Put(profile []byte) (string, error) { return a.PutFull(profile, profile) }

// PutFull is Put with another answer for includeFullServiceDetails=true.
func (a *Account) PutFull(profile, full []byte) (string, error) {
	own, r, err := readOwn(profile)
	if err != nil {
		return "", err
	}
	own.full = bytes.Clone(full)
	r.own = own
	a.mu.Lock()
	defer a.mu.Unlock()
	i, found := a.find(own.id)
	if !found {
		i = len(a.records)
		a.records = append(a.records, record{})
		a.live++
	} else if a.records[i].own != nil {
		a.disown(&a.records[i])
	}
	a.records[i] = r
	a.own[own.id] = i
	for _, key := range own.keys {
		a.ownKeys[key]++
	}
	a.undated = a.undated || r.created <= 0 || r.modified <= 0
	a.sorted = [2][]int32{}
	return own.id, nil
}

// disown forgets an own client's id and files. The caller holds the lock.
func (a *Account) disown(r *record) {
	delete(a.own, r.own.id)
	for _, key := range r.own.keys {
		if a.ownKeys[key]--; a.ownKeys[key] == 0 {
			delete(a.ownKeys, key)
		}
	}
}

// awkward allows odd profiles in Put, for the library's own tests.
var awkward = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// readOwn takes the members that the lists need from a profile.
func readOwn(profile []byte) (*ownClient, record, error) {
	var fields struct {
		ID           string         `json:"id"`
		Created      jsontext.Value `json:"created"`
		LastModified jsontext.Value `json:"lastModified"`
		Status       string         `json:"status"`
		FlowData     map[string]struct {
			FileData         map[string]string   `json:"fileData"`
			EnhancedFileData map[string][]string `json:"enhancedFileData"`
		} `json:"flowData"`
	}
	if err := json.Unmarshal(profile, &fields, awkward); err != nil {
		return nil, record{}, errors.New("truliootest: not a profile: " + err.Error())
	}
	if fields.ID == "" {
		return nil, record{}, errors.New("truliootest: the profile has no id")
	}
	own := &ownClient{id: fields.ID, profile: bytes.Clone(profile)}
	for flow, data := range fields.FlowData {
		own.flows = append(own.flows, flow)
		for _, key := range data.FileData {
			own.keys = append(own.keys, key)
		}
		for _, keys := range data.EnhancedFileData {
			own.keys = append(own.keys, keys...)
		}
	}
	slices.Sort(own.keys)
	own.keys = slices.Compact(own.keys)
	own.row = ownRow(profile)
	return own, record{
		created:  readDate(fields.Created),
		modified: readDate(fields.LastModified),
		status:   fields.Status,
	}, nil
}

// rowFields are the fields of a list row, in the vendor's order.
var rowFields = []string{
	"id", "ownerIds", "created", "lastModified", "profileType", "status", "statusManuallyChanged", "user",
}

func ownRow(profile []byte) []byte {
	var all map[string]jsontext.Value
	_ = json.Unmarshal(profile, &all, awkward) // readOwn has read it
	row := []byte{'{'}
	for _, name := range rowFields {
		if value, ok := all[name]; ok {
			row = append(comma(row), `"`+name+`":`...)
			row = append(row, value...)
		}
	}
	return append(row, '}')
}

// readDate takes a number, in seconds or milliseconds, or a number in a string.
func readDate(raw jsontext.Value) Date {
	switch text := strings.Trim(string(raw), `"`); text {
	case "":
		return NoDate
	case "null":
		return NullDate
	default:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n < 0 {
			return NullDate
		}
		if n >= 1e12 {
			n /= 1000
		}
		return Date(n)
	}
}

// The sample answers of the vendor's reference page, with the page's layout of
// the values and without its fold marks.
var (
	//go:embed sample/workflows.json
	sampleWorkflows []byte
	//go:embed sample/clients.json
	sampleClients []byte
	//go:embed sample/client.json
	sampleClient []byte
)

// sampleLists are fixed answers of the two lists.
type sampleLists struct{ workflows, clients []byte }

// SampleAccount serves the sample answers of the vendor's reference page byte for
// byte, whatever the page, the filters, the Listing and the Dialect. The id of its one
// client is "string", and so is the key of its one file. The lists count 0 elements
// and hold one, as they do on the page.
func SampleAccount() *Account {
	a := NewAccount(AccountSpec{})
	if _, err := a.Put(sampleClient); err != nil {
		panic(err) // the file is part of the package
	}
	a.sample = &sampleLists{workflows: sampleWorkflows, clients: sampleClients}
	return a
}
