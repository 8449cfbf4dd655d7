/// Blobs as files of a directory, one each: what a layout's blobs/<algorithm>/ and a dir: image
/// have in common.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "libimage/base/unique_fd.h"
#include "libimage/io/pipe.h"
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

/// Writes one blob to a file that appears whole at commit(). Of a large blob whose digest is known
/// a broken attempt, even of a process that was killed, leaves what it wrote, for the next one.
class FileBlobWriter final : public BlobWriter {
 public:
  /// `name_of` gives the file's name once the digest is known.
  FileBlobWriter(const DirFd& dir, BlobHint hint, std::string (*name_of)(const Digest&),
                 PendingFile::Kind kind = PendingFile::Kind::unnamed);
  ~FileBlobWriter() override;
  FileBlobWriter(const FileBlobWriter&) = delete;
  FileBlobWriter& operator=(const FileBlobWriter&) = delete;

  [[nodiscard]] std::uint64_t kept() const override { return kept_; }
  void write(ByteView data) override;
  oci::Descriptor commit(oci::MediaType media_type) override;

 private:
  PendingFile file_;
  std::uint64_t kept_;
  BlobCheck check_;
  std::string (*name_of_)(const Digest&);
  std::unique_ptr<AsyncSink> behind_;  // writes large blobs while the next bytes are fetched
  bool wrong_ = false;                 // not worth keeping
  bool committed_ = false;
};

/// Copies `from` to `name` in `dir` inside the kernel (reflink, else copy_file_range), reads the
/// copy back to verify it, then publishes it. False if the kernel cannot; Error{size_mismatch or
/// digest_mismatch} if the content is not `blob`.
bool copy_blob_file(const oci::Descriptor& blob, const UniqueFd& from, const DirFd& dir,
                    const std::string& name, PendingFile::Kind kind = PendingFile::Kind::unnamed);

}  // namespace lade
