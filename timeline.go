package trulioo

import (
	"slices"
)

// Moment is one thing that happened to an end client. Exactly one of Service,
// Note and Task is set, and none for MomentCreated and MomentModified.
//
//trulioo:redact
type Moment struct {
	At   Time // zero where the API gives no time
	Kind MomentKind

	Service *ServiceResult // a check that ran
	Note    *Note          // a note that was written
	Task    *Task          // a task that was made, or that changed last
}

// MomentKind says what happened.
type MomentKind string

// The kinds of moments.
const (
	MomentCreated     MomentKind = "created"      // the end client first appeared
	MomentCheck       MomentKind = "check"        // a check ran
	MomentNote        MomentKind = "note"         // a note was written
	MomentTask        MomentKind = "task"         // a task was made
	MomentTaskUpdated MomentKind = "task updated" // a task was changed or resolved
	MomentModified    MomentKind = "modified"     // the end client last changed; the API does not say how
)

// Timeline is everything in the profile that has a time, oldest first: the
// creation, the checks, the notes, the tasks, and the last change, if that is
// later than all of them. Moments of one time stay in this order; those without
// a time come first. It is not a history: the API keeps the last change of a
// task only, and no earlier status.
func (p Profile) Timeline() []Moment {
	var moments []Moment
	if !p.Created.IsZero() {
		moments = append(moments, Moment{At: p.Created, Kind: MomentCreated})
	}
	for _, service := range p.Services() {
		moments = append(moments, Moment{At: service.Timestamp, Kind: MomentCheck, Service: &service})
	}
	for _, note := range p.Notes {
		moments = append(moments, Moment{At: note.Created, Kind: MomentNote, Note: &note})
	}
	for _, task := range p.Tasks {
		moments = append(moments, Moment{At: task.Created, Kind: MomentTask, Task: &task})
		if task.Updated.After(task.Created.Time) {
			moments = append(moments, Moment{At: task.Updated, Kind: MomentTaskUpdated, Task: &task})
		}
	}
	slices.SortStableFunc(moments, func(a, b Moment) int { return a.At.Compare(b.At.Time) })
	if len(moments) == 0 || p.LastModified.After(moments[len(moments)-1].At.Time) {
		if !p.LastModified.IsZero() {
			moments = append(moments, Moment{At: p.LastModified, Kind: MomentModified})
		}
	}
	return moments
}

// Latest gives the answer to the fields of a role in the flow whose checks ran
// last. It is for a role that several flows answer differently, for which Value is
// not ok. ok is false where there is no answer, where the answers of that flow differ
// among themselves, and where the times of the checks do not tell differing flows
// apart. Values is empty only where there is no answer at all.
func (p Profile) Latest(role Role, or ...Role) (value string, ok bool) {
	answers := p.Values(role, or...)
	if value, ok = agreed(answers); ok || len(answers) == 0 {
		return value, ok
	}
	newest := slices.MaxFunc(answers, func(a, b Answer) int { return p.lastCheck(a.FlowID).Compare(p.lastCheck(b.FlowID).Time) })
	at := p.lastCheck(newest.FlowID)
	if at.IsZero() {
		return "", false
	}
	return agreed(slices.DeleteFunc(answers, func(a Answer) bool { return !p.lastCheck(a.FlowID).Equal(at.Time) }))
}

// lastCheck is when the last check of a flow ran.
func (p Profile) lastCheck(flowID string) (at Time) {
	for _, service := range p.FlowData[flowID].ServiceData {
		if service.Timestamp.After(at.Time) {
			at = service.Timestamp
		}
	}
	return at
}

// Final reports whether the status is the end of a flow: nothing more is
// expected of the person, the workflow or the account's people. It is not for
// good, since somebody of the account can set another status by hand, and a
// person can go through another workflow. A status that is not known is not
// final.
//
// The vendor's pages and running accounts show these meanings:
//
//	ACCEPTED        the workflow or somebody of the account accepted   final
//	REJECTED        the workflow or somebody of the account rejected   final
//	COMPLETED       the workflow ended without a verdict               final
//	FAILED          the workflow could not be brought to its end       final
//	ABANDONED       the person did not come back in time               final
//	PENDING         the person or a check is not done yet
//	PENDING_REVIEW  somebody of the account has to decide
func (s Status) Final() bool {
	switch s {
	case StatusAccepted, StatusRejected, StatusCompleted, StatusFailed, StatusAbandoned:
		return true
	case StatusPending, StatusPendingReview:
	}
	return false
}
