/// Blobs as files of a directory, one each: what a layout's blobs/<algorithm>/ and a dir: image
/// have in common.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "libimage/base/unique_fd.h"
#include "libimage/store/blob_check.h"
#include "libimage/store/pending_file.h"
#include "libimage/store/store.h"

namespace lade {

/// The file `name` of `dir` that should hold `blob`. Throws Error{not_found} if it is missing,
/// Error{invalid_content} if it is a link or no regular file, Error{size_mismatch} if its size is
/// not the blob's.
std::shared_ptr<const UniqueFd> open_blob_file(const DirFd& dir, const std::string& name,
                                               const oci::Descriptor& blob);

/// True if `name` in `dir` is a regular file of the blob's size.
bool has_blob_file(const DirFd& dir, const std::string& name, const oci::Descriptor& blob);

/// Writes one blob to a file that appears whole at commit().
class FileBlobWriter final : public BlobWriter {
 public:
  /// `name_of` gives the file's name once the digest is known.
  FileBlobWriter(const DirFd& dir, BlobHint hint, std::string (*name_of)(const Digest&),
                 PendingFile::Kind kind = PendingFile::Kind::unnamed);
  void write(ByteView data) override;
  oci::Descriptor commit(oci::MediaType media_type) override;

 private:
  BlobCheck check_;
  PendingFile file_;
  std::string (*name_of_)(const Digest&);
};

/// Copies `from` to `name` in `dir` inside the kernel (reflink, else copy_file_range), reads the
/// copy back to verify it, then publishes it. False if the kernel cannot; Error{size_mismatch or
/// digest_mismatch} if the content is not `blob`.
bool copy_blob_file(const oci::Descriptor& blob, const UniqueFd& from, const DirFd& dir,
                    const std::string& name, PendingFile::Kind kind = PendingFile::Kind::unnamed);

}  // namespace lade
