package trulioo

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/trulioo-go/trulioo/internal/screening"
)

// ScreeningOutcome is the outcome of a watchlist check. Its zero value is
// ScreeningUnknown, so that a forgotten, lost or new outcome counts as unknown.
type ScreeningOutcome int

// The outcomes of a watchlist check.
const (
	// ScreeningUnknown means that the check does not tell whether there is a hit.
	// Never take it for ScreeningClear.
	ScreeningUnknown ScreeningOutcome = ScreeningOutcome(screening.Unknown)
	// ScreeningClear means that the vendor says that the person is on none of the
	// lists, and that nothing in the check says otherwise.
	ScreeningClear ScreeningOutcome = ScreeningOutcome(screening.Clear)
	// ScreeningPotentialHit means that a list has somebody who could be the person.
	ScreeningPotentialHit ScreeningOutcome = ScreeningOutcome(screening.PotentialHit)
	// ScreeningConfirmedHit means that the vendor's word for the hit is "Hit", which
	// older lists use. It is the vendor's word: nobody has looked at the hit.
	ScreeningConfirmedHit ScreeningOutcome = ScreeningOutcome(screening.ConfirmedHit)
)

// Hit reports whether it is a potential or a confirmed hit.
func (o ScreeningOutcome) Hit() bool { return o == ScreeningPotentialHit || o == ScreeningConfirmedHit }

// String is "clear", "potential hit", "confirmed hit", and "unknown" for all else.
func (o ScreeningOutcome) String() string {
	switch o {
	case ScreeningClear:
		return "clear"
	case ScreeningPotentialHit:
		return "potential hit"
	case ScreeningConfirmedHit:
		return "confirmed hit"
	default:
		return "unknown"
	}
}

// MarshalText is String.
func (o ScreeningOutcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what String says; any other text is ScreeningUnknown.
func (o *ScreeningOutcome) UnmarshalText(text []byte) error {
	*o = ScreeningUnknown
	for _, known := range []ScreeningOutcome{ScreeningClear, ScreeningPotentialHit, ScreeningConfirmedHit} {
		if string(text) == known.String() {
			*o = known
		}
	}
	return nil
}

// Screening is one watchlist check of a profile, read so that no person comes out
// clear who is not.
//
//trulioo:redact
type Screening struct {
	// Service is the check. It is zero except for FlowID where an unreadable part of the
	// profile could hide a check.
	Service ServiceResult
	// Outcome is the outcome of the check.
	Outcome ScreeningOutcome
	// Why says why Outcome is unknown, or why Hits are not all there are. It is ""
	// where there is nothing to say, a constant text of this library, and never
	// holds anything of the person.
	Why string
	// Lists are the names of the lists that were searched, such as "Advanced
	// Watchlist", as far as the check says.
	Lists []string
	// SearchedName is who was searched (WatchlistFullName); several names are
	// separated by "; ". It is "" where the check does not say.
	SearchedName string
	// Announced are the numbers of hits that the vendor announces, over all lists.
	Announced WatchlistCounts
	// Hits are the hits that could be read, also of a check whose outcome is unknown.
	Hits []WatchlistHit
	// Complete says that the outcome is clear, or a hit with all its hits in Hits.
	Complete bool

	hidden bool // Service is not a check
}

// Screenings lists the watchlist checks of the profile, in the order of Services,
// with the outcome of each. A check is a watchlist check if its node type ends in
// "_wl", if it has WatchlistResults, or if anything else in it is about watchlists,
// such as a data source's name. A part of the profile that could not be read, and
// could hide a check, is listed too, as unknown.
//
// A check is clear only where the vendor says so: the state or status of each of
// its lists is "No Hit" or all its numbers of hits are 0, or the record matched
// under its rule and there is one list at most. Nothing in the check may say the
// opposite, no error may be reported, and the check must be completed. See
// docs/screening.md for the rest.
//
// It reads Raw, as the server sent it, or the fields where there is no Raw. No
// screening at all means that none was seen, and not that the person is clear;
// ScreeningOutcome says so.
func (p Profile) Screenings() []Screening {
	raw, err := p.MarshalJSON()
	if err != nil {
		raw = nil // Read cannot understand this either
	}
	found := screening.Read(raw)
	screenings := make([]Screening, 0, len(found))
	for _, check := range found {
		screenings = append(screenings, newScreening(check))
	}
	slices.SortStableFunc(screenings, func(a, b Screening) int {
		return cmp.Or(a.Service.Timestamp.Compare(b.Service.Timestamp.Time), cmp.Compare(a.Service.FlowID, b.Service.FlowID))
	})
	return screenings
}

func newScreening(check screening.Check) Screening {
	s := Screening{
		Outcome:      ScreeningOutcome(check.Outcome),
		Why:          strings.Join(check.Why, "; "),
		Lists:        check.Lists,
		SearchedName: strings.Join(check.Searched, "; "),
		Announced:    watchlistCounts(check.Announced),
		Complete:     check.Complete,
		hidden:       check.Raw == nil,
	}
	if decodeJSON(check.Raw, &s.Service) != nil {
		s.Service = ServiceResult{}
	}
	s.Service.FlowID = check.FlowID
	for _, hit := range check.Hits {
		s.Hits = append(s.Hits, watchlistHit(hit, s.Service))
	}
	return s
}

// ScreeningOutcome is the outcome of all watchlist checks of the profile together: a
// hit where one of them is a hit; else unknown where one of them is unknown or where
// the profile has no check; else clear. Ask it before letting somebody in:
//
//	if profile.ScreeningOutcome() != trulioo.ScreeningClear {
//		// somebody has to look
//	}
func (p Profile) ScreeningOutcome() ScreeningOutcome {
	return outcomeOf(p.Screenings())
}

func outcomeOf(screenings []Screening) ScreeningOutcome {
	outcome := ScreeningClear
	for _, s := range screenings {
		if s.Outcome.Hit() {
			outcome = max(outcome, s.Outcome)
		}
		if s.Outcome == ScreeningUnknown && !outcome.Hit() {
			outcome = ScreeningUnknown
		}
	}
	if len(screenings) == 0 {
		return ScreeningUnknown
	}
	return outcome
}

// ScreeningError says why the hits of Profile.WatchlistHits are incomplete.
// It is ErrScreeningUnknown, ErrNoDetails, or both, and it holds nothing of the
// person.
type ScreeningError struct {
	Checks     int // watchlist checks, with the parts of the profile in which one could be hidden
	Unknown    int // those of them whose outcome is not known
	Incomplete int // those with a hit whose hits are not all listed
	NoDetails  int // checks of any kind that have no full service details, and need them

	causes []error
}

// Error names the numbers of checks.
func (e *ScreeningError) Error() string {
	var parts []string
	if e.Unknown > 0 {
		parts = append(parts, fmt.Sprintf("the outcome of %d of %d watchlist checks is unknown", e.Unknown, e.Checks))
	}
	if e.Incomplete > 0 {
		parts = append(parts, fmt.Sprintf("the list of hits of %d of %d is incomplete", e.Incomplete, e.Checks))
	}
	if e.NoDetails > 0 {
		parts = append(parts, fmt.Sprintf("%d checks have no full service details: GetOptions.FullServiceDetails is not set, "+
			"or the environment is the test one, which sends none even when asked", e.NoDetails))
	}
	return "trulioo: read watchlist hits: " + cmp.Or(strings.Join(parts, "; "), "the list is incomplete")
}

// Is reports whether target is ErrScreeningUnknown or ErrNoDetails, as the
// numbers say.
func (e *ScreeningError) Is(target error) bool {
	return target == ErrScreeningUnknown && e.Unknown+e.Incomplete > 0 || target == ErrNoDetails && e.NoDetails > 0
}

// Unwrap gives a *DecodeError for each record that could not be decoded.
func (e *ScreeningError) Unwrap() []error { return e.causes }

// WatchlistHits lists the hits of all watchlist checks, in the order of Services.
// The error is nil only if each check is clear or has all its announced hits
// listed; else it is a *ScreeningError, and the hits that could be read are
// returned beside it. It is ErrNoDetails where full service details that would tell
// more are missing, and in a profile without any details, whose checks could hide a
// watchlist. A profile without checks is not an error here: ScreeningOutcome is stricter.
func (p Profile) WatchlistHits() ([]WatchlistHit, error) {
	var hits []WatchlistHit
	screenings := p.Screenings()
	e := &ScreeningError{Checks: len(screenings)}
	for _, s := range screenings {
		hits = append(hits, s.Hits...)
		if !s.Complete {
			e.add(s)
		}
	}
	e.NoDetails += p.withoutDetails(len(screenings))
	if e.Unknown+e.Incomplete+e.NoDetails == 0 {
		return hits, nil
	}
	return hits, e
}

func (e *ScreeningError) add(s Screening) {
	if s.Outcome.Hit() {
		e.Incomplete++
	} else {
		e.Unknown++
	}
	_, err := s.Service.Details()
	switch {
	case errors.Is(err, ErrNoDetails) && !s.hidden:
		e.NoDetails++
	case err != nil && !errors.Is(err, ErrNoDetails):
		e.causes = append(e.causes, err)
	}
}

// withoutDetails is how many checks beside the screenings have no details, in a
// profile in which none has any: nobody asked for them, and any of these checks
// could have searched a watchlist.
func (p Profile) withoutDetails(screenings int) int {
	services := p.Services()
	for _, service := range services {
		if _, err := service.Details(); !errors.Is(err, ErrNoDetails) {
			return 0
		}
	}
	return max(len(services)-screenings, 0)
}
