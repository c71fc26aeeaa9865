package cli

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/bundle"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportstore"
)

func (a *app) bundle() *cobra.Command {
	var to string
	command := &cobra.Command{
		Use:   "bundle ID",
		Short: "Put everything about one end client into a zip or a folder, for an auditor or the person",
		Long: `Makes a zip, if -o ends in .zip, or else a folder: the API's answer byte for byte, every photo and document, a page that can be read and
printed, and a manifest with the digest of each. A file that cannot be downloaded is listed as missing, on the page too, and the exit code
is then 3. Only you can read the zip or the folder.`,
		Example: `  trulioo bundle 665f1b1c2d3e4f5a6b7c8d9e -o person.zip
  trulioo bundle - -o person < id.txt`,
		Args: oneArgument(idArgument),
	}
	command.Flags().StringVarP(&to, "output", "o", "", "the `file` that ends in .zip, or the folder, to write to")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if to == "" {
			return usage("-o FILE.zip or -o FOLDER is needed")
		}
		x, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		defer x.close()
		id, err := a.clientID(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if strings.EqualFold(filepath.Ext(to), ".zip") {
			err = writeZip(cmd.Context(), x.client, id, to)
		} else {
			err = bundle.Save(cmd.Context(), x.client, id, to)
		}
		if errors.As(err, new(*trulioo.FileError)) && cmd.Context().Err() == nil {
			return fmt.Errorf("%w: %w", errSomeFiles, err)
		}
		return err
	}
	return command
}

// writeZip gives the zip its name when it is whole. Until then its parts are in a hidden
// folder beside it. It first removes the folder of a run that was killed.
func writeZip(ctx context.Context, client *trulioo.Client, id, name string) (err error) {
	dir, base := filepath.Dir(name), filepath.Base(name)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // each file was closed
	work := "." + base + ".unfinished"
	unlock, err := exportstore.Lock(root, work+".lock")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.RemoveAll(work), unlock()) }()
	if err := errors.Join(root.RemoveAll(work), root.Mkdir(work, 0o700)); err != nil {
		return err
	}
	missing := bundle.Save(ctx, client, id, filepath.Join(dir, work, "bundle"))
	if _, err := root.Stat(work + "/bundle/" + bundle.ManifestName); err != nil {
		return missing // the folder is not finished
	}
	part, err := root.OpenFile(work+"/zip", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	archive := zip.NewWriter(part)
	err = errors.Join(archive.AddFS(os.DirFS(filepath.Join(dir, work, "bundle"))), archive.Close(), part.Sync(), part.Close())
	if err == nil {
		err = root.Rename(work+"/zip", base)
	}
	return errors.Join(missing, err)
}
