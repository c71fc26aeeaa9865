package trulioo

import (
	"encoding/json"
	"errors"
	"strings"
)

// WatchlistKind is the kind of list that a hit is on.
type WatchlistKind string

// The kinds of lists.
const (
	WatchlistKindWatchlist    WatchlistKind = "WL"  // sanctions and other watchlists
	WatchlistKindAdverseMedia WatchlistKind = "AM"  // the news
	WatchlistKindPEP          WatchlistKind = "PEP" // politically exposed persons
)

// WatchlistHit is one hit on a list.
type WatchlistHit struct {
	// Kind is the kind of list.
	Kind WatchlistKind `json:"-"`
	// FlowID is the flow whose check found it.
	FlowID string `json:"-"`
	// NodeID is the id of the workflow's step that ran the check.
	NodeID string `json:"-"`
	// Datasource is the name of the data source that found it.
	Datasource string `json:"-"`
	// Score is how alike the names are, on the vendor's scale.
	Score float64 `json:"score"`
	// SubjectMatched is the name on the list.
	SubjectMatched string `json:"subjectMatched"`
	// SourceListType is the kind of list in the vendor's words.
	SourceListType string `json:"sourceListType"`
	// SourceRegion is the region of the list.
	SourceRegion string `json:"sourceRegion"`
	// SourceAgencyName is who keeps the list.
	SourceAgencyName string `json:"sourceAgencyName"`
	// URL is where to read more.
	URL string `json:"URL"`

	// Raw is the hit as the server sent it.
	Raw json.RawMessage `json:"-"`
}

// The members of WatchlistHitDetails, in the order in which hits are listed.
var watchlistMembers = []struct {
	name string
	kind WatchlistKind
}{
	{"WL_results", WatchlistKindWatchlist},
	{"AM_results", WatchlistKindAdverseMedia},
	{"PEP_results", WatchlistKindPEP},
}

// WatchlistHits lists the hits in the full service details of all checks, in
// the order of Services. It says so where it cannot know: the error is
// ErrNoDetails where no check has details, or a watchlist check has none, and
// a *DecodeError where details could not be read; the hits found in spite of
// that are returned beside it. No check at all is no error.
func (p Profile) WatchlistHits() ([]WatchlistHit, error) {
	var hits []WatchlistHit
	var problems []error
	detailed, services := 0, p.Services()
	for _, service := range services {
		details, err := service.Details()
		if err == nil {
			detailed++
			hits = append(hits, serviceHits(service, details)...)
		} else if !errors.Is(err, ErrNoDetails) || service.isWatchlist() {
			problems = append(problems, err)
		}
	}
	if detailed == 0 && len(services) > 0 && len(problems) == 0 {
		problems = append(problems, ErrNoDetails)
	}
	return hits, errors.Join(problems...)
}

// isWatchlist reports whether a check looks at watchlists.
func (s ServiceResult) isWatchlist() bool {
	return s.NodeType == NodeTypePersonWatchlist || s.NodeType == NodeTypeBusinessWatchlist ||
		len(s.WatchlistResults) > 0
}

func serviceHits(service ServiceResult, details *ServiceDetails) []WatchlistHit {
	var hits []WatchlistHit
	for _, result := range details.Record.DatasourceResults {
		for _, field := range result.AppendedFields {
			if !strings.EqualFold(field.FieldName, "WatchlistHitDetails") {
				continue
			}
			for _, hit := range packedHits(field.Data, maxPacking) {
				hit.FlowID, hit.NodeID, hit.Datasource = service.FlowID, service.NodeID, result.DatasourceName
				hits = append(hits, hit)
			}
		}
	}
	return hits
}

// packedHits finds the hits in an object, or in objects in an array or a
// further object; each of them may be JSON in a string.
func packedHits(raw json.RawMessage, depth int) []WatchlistHit {
	raw = unpack(raw)
	if depth == 0 || isEmpty(raw) {
		return nil
	}
	var hits []WatchlistHit
	if raw[0] == '[' {
		for _, element := range elements(raw) {
			hits = append(hits, packedHits(element, depth-1)...)
		}
		return hits
	}
	var members map[string]json.RawMessage
	if raw[0] != '{' || decodeJSON(raw, &members) != nil {
		return nil
	}
	found := false
	for _, member := range watchlistMembers {
		if list, ok := members[member.name]; ok {
			found = true
			hits = append(hits, hitsOf(member.kind, list)...)
		}
	}
	if !found {
		for _, name := range sortedKeys(members) {
			hits = append(hits, packedHits(members[name], depth-1)...)
		}
	}
	return hits
}

// hitsOf decodes a list of hits, or a single one.
func hitsOf(kind WatchlistKind, list json.RawMessage) []WatchlistHit {
	list = unpack(list)
	if isEmpty(list) {
		return nil
	}
	single := []json.RawMessage{list}
	if list[0] == '[' {
		single = elements(list)
	}
	var hits []WatchlistHit
	for _, raw := range single {
		raw = unpack(raw)
		var hit WatchlistHit
		if isEmpty(raw) || decodeJSON(raw, &hit) != nil {
			continue
		}
		hit.Kind, hit.Raw = kind, raw
		hits = append(hits, hit)
	}
	return hits
}

func elements(array json.RawMessage) []json.RawMessage {
	var all []json.RawMessage
	if decodeJSON(array, &all) != nil {
		return nil
	}
	return all
}
