package exportstore

import "github.com/trulioo-go/trulioo"

// skip says which clients of the list need not be fetched: those that are kept and have
// not changed. A client without a date of the last change is always fetched.
func (j *Job) skip(kept *keptClients) func(row *trulioo.EndClient) bool {
	return func(row *trulioo.EndClient) bool {
		was, known := kept.clients[row.ID]
		if !known {
			return false
		}
		was.seen = true
		unchanged := was.modified != 0 && !row.LastModified.IsZero() && was.modified == row.LastModified.Unix()
		if !unchanged || was.details != j.Details && j.Details || j.Files && !was.files {
			return false
		}
		kept.unchanged++
		return true
	}
}
