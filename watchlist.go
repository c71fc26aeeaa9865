package trulioo

import (
	"encoding/json"
	"maps"

	"github.com/trulioo-go/trulioo/internal/screening"
	"github.com/trulioo-go/trulioo/internal/wire"
)

// WatchlistKind is the kind of list that a hit is on. The set is open: a hit on
// a list of an unknown kind has the vendor's word, or "".
type WatchlistKind string

// The kinds of lists.
const (
	WatchlistKindWatchlist    WatchlistKind = "WL"  // sanctions and other watchlists
	WatchlistKindAdverseMedia WatchlistKind = "AM"  // the news
	WatchlistKindPEP          WatchlistKind = "PEP" // politically exposed persons
)

// WatchlistHit is one hit on a list.
//
//trulioo:redact
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
	// SubjectMatched is the name on the list. Where the vendor sends none, it is
	// EntityName, or else Remarks.
	SubjectMatched string `json:"subjectMatched"`
	// EntityName stands in some answers in place of SubjectMatched.
	EntityName string `json:"entityName"`
	// Remarks are the list's words about the subject. They stand in some answers in
	// place of SubjectMatched.
	Remarks string `json:"remarks"`
	// SourceListType is the kind of list in the vendor's words, and the list's
	// name for a hit of the older "International Watchlist".
	SourceListType string `json:"sourceListType"`
	// SourceRegion is the region of the list.
	SourceRegion string `json:"sourceRegion"`
	// SourceAgencyName is the agency that keeps the list.
	SourceAgencyName string `json:"sourceAgencyName"`
	// URL leads to more about the hit.
	URL string `json:"URL"`

	// Raw is the hit as the server sent it: an object, or a string where the
	// vendor sends no more than a text.
	Raw json.RawMessage `json:"-"`
}

// Text is the article of an adverse-media hit, up to about 8 KB, and "" for other
// hits. Each call decodes it from Raw, so that it takes no memory before.
func (h WatchlistHit) Text() string {
	var article struct {
		Text string `json:"text"`
	}
	if decodeJSON(h.Raw, &article) != nil {
		return ""
	}
	return article.Text
}

// watchlistHit decodes one hit as far as it can be.
func watchlistHit(found screening.Hit, service ServiceResult) WatchlistHit {
	var hit WatchlistHit
	if decodeJSON(found.Raw, &hit) != nil {
		hit = WatchlistHit{}
		if found.List == "" {
			hit.SubjectMatched = wire.Text(found.Raw)
		}
	}
	for _, name := range []string{hit.EntityName, hit.Remarks} {
		if hit.SubjectMatched == "" {
			hit.SubjectMatched = name
		}
	}
	if found.List != "" {
		hit.SourceListType, hit.URL = found.List, found.URL
	}
	hit.Kind, hit.Raw = WatchlistKind(found.Kind), found.Raw
	hit.FlowID, hit.NodeID, hit.Datasource = service.FlowID, service.NodeID, found.Source
	return hit
}

// WatchlistResults are the vendor's summaries of a check, by the list's name. A
// summary that the vendor sends without a name stands under "".
type WatchlistResults map[string]WatchlistResult

// WatchlistResult is the vendor's summary of the search of one list.
//
//trulioo:redact
type WatchlistResult struct {
	// WatchlistStatus is the list's outcome in the vendor's words, such as "No
	// Hit" or "Potential Hit". Screening.Outcome judges it together with the rest of
	// the check.
	WatchlistStatus string `json:"watchlistStatus"`
	// WatchlistHitDetails holds the numbers of hits.
	WatchlistHitDetails WatchlistCounts `json:"watchlistHitDetails"`

	// Raw is the summary as the server sent it. Encoding emits it; clear it to
	// encode changed fields.
	Raw json.RawMessage `json:"-"`
}

// WatchlistCounts are numbers of hits that the vendor announces. The hits
// themselves are in Screening.Hits.
//
//trulioo:redact
type WatchlistCounts struct {
	// Watchlist is the number of hits on sanction and other watchlists.
	Watchlist int64 `json:"wlHitsNumber"`
	// AdverseMedia is the number of hits in the news.
	AdverseMedia int64 `json:"amHitsNumber"`
	// PEP is the number of hits on lists of politically exposed persons.
	PEP int64 `json:"pepHitsNumber"`
	// Known says that the vendor sent all three, and that they could be read.
	// Where it is false, a 0 says nothing.
	Known bool `json:"-"`
}

func watchlistCounts(c screening.Counts) WatchlistCounts {
	return WatchlistCounts{Watchlist: c.Number[0], AdverseMedia: c.Number[1], PEP: c.Number[2], Known: c.Known}
}

// MarshalJSON leaves out a 0 that says nothing.
func (c WatchlistCounts) MarshalJSON() ([]byte, error) {
	if c.Known {
		type plain WatchlistCounts
		return wire.Marshal(plain(c))
	}
	return wire.Marshal(struct {
		Watchlist    int64 `json:"wlHitsNumber,omitzero"`
		AdverseMedia int64 `json:"amHitsNumber,omitzero"`
		PEP          int64 `json:"pepHitsNumber,omitzero"`
	}{c.Watchlist, c.AdverseMedia, c.PEP})
}

// UnmarshalJSON takes summaries by name and a single one without a name, with
// the numbers of hits under any of their known names. It never fails: a value that is
// not a summary stands under "" and has its Raw only.
func (r *WatchlistResults) UnmarshalJSON(data []byte) error {
	*r = nil
	for _, s := range screening.Summaries(data) {
		if *r == nil {
			*r = make(WatchlistResults)
		}
		(*r)[s.Name] = WatchlistResult{s.Status, watchlistCounts(s.Announced), s.Raw}
	}
	return nil
}

// MarshalJSON emits the Raw of a summary without a name, which has all of them
// in it, and else the summaries by name.
func (r WatchlistResults) MarshalJSON() ([]byte, error) {
	if unnamed, ok := r[""]; ok && len(unnamed.Raw) > 0 {
		return unnamed.Raw, nil
	}
	return wire.Marshal(map[string]WatchlistResult(maps.Clone(r)))
}

// UnmarshalJSON decodes one summary and keeps a copy of data as Raw.
func (r *WatchlistResult) UnmarshalJSON(data []byte) error {
	*r = WatchlistResult{Raw: exactly(data)}
	if s, ok := screening.ReadSummary(r.Raw); ok {
		r.WatchlistStatus, r.WatchlistHitDetails = s.Status, watchlistCounts(s.Announced)
	}
	return nil
}

// MarshalJSON emits Raw where there is one, else the fields.
func (r WatchlistResult) MarshalJSON() ([]byte, error) {
	type plain WatchlistResult
	return encode(r.Raw, plain(r))
}
