package keep

// skip says which clients of the list need not be fetched: those kept as they are.
func (j *Job) skip(kept *keptClients) func(clientID string) bool {
	return func(clientID string) bool {
		was, known := kept.clients[clientID]
		if !known {
			return false
		}
		was.seen = true
		if was.details != j.Details && j.Details || j.Files && !was.files {
			return false
		}
		kept.unchanged++
		return true
	}
}
