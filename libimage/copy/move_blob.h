#pragma once
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "libimage/copy/copy.h"

namespace lade {

/// How one blob reached the destination.
struct MovedBlob {
  enum class How { moved, existed, mounted };
  oci::Descriptor descriptor;  ///< at the destination, with annotations to add
  How how = How::moved;
  std::uint64_t bytes = 0;             ///< written
  std::optional<DiffId> diff_id = {};  ///< of a layer whose tar is another now
  std::string warning = {};            ///< what is not as it was asked for; "" if all is
};

/// One destination of a blob that is read once.
struct BlobBranch {
  const PlannedBlob* planned = nullptr;  ///< of one source digest for all branches
  Writer* destination = nullptr;
  oci::Family family = oci::Family::oci;  ///< of the media types of recompressed layers
  std::optional<MovedBlob> moved = {};    ///< set, or:
  std::optional<Error> failure = {};
};

/// Brings one blob to all `branches`: not at all where it is, else by mounting, by a kernel-side
/// copy, or streamed, read once for all who need it; recompressed where planned. What fails for a
/// while is tried again, alone. Told in `observer` under the source's digest. Throws Cancelled
/// only.
void move_blob(std::vector<BlobBranch>& branches, Reader& source, const CopyOptions& options,
               ProgressObserver& observer, const std::stop_token& stop);

/// Passes on what it reads, tells the observer how far it is, and throws Cancelled when asked to
/// stop.
class ObservedSource final : public Source {
 public:
  ObservedSource(std::unique_ptr<Source> source, const oci::Descriptor& blob,
                 ProgressObserver& observer, std::stop_token stop, std::uint64_t offset = 0);
  std::size_t read(std::span<std::byte> out) override;

 private:
  std::unique_ptr<Source> source_;
  ProgressObserver& observer_;
  std::stop_token stop_;
  ProgressEvent event_ = {.kind = ProgressEvent::Kind::advanced};
  std::uint64_t told_;
};

/// Writes what `from` yields, the content of `planned`, to the branch's destination, recompressed
/// where planned.
MovedBlob write_blob(Source& from, const BlobBranch& branch, const CopyOptions& options);

/// Several branches that want the same bytes made of a layer, as one: it is compressed once.
class SharedBranch {
 public:
  /// `branches` recompress the same blob to the same codec and family.
  explicit SharedBranch(std::vector<BlobBranch*> branches);
  ~SharedBranch();
  SharedBranch(const SharedBranch&) = delete;
  SharedBranch& operator=(const SharedBranch&) = delete;
  [[nodiscard]] BlobBranch& branch() noexcept { return branch_; }
  /// Tells the branches what became of branch(): its success is theirs, unless their own
  /// destination failed.
  void hand_out();

 private:
  std::vector<BlobBranch*> branches_;
  std::unique_ptr<Writer> fork_;
  BlobBranch branch_;
};

/// Streams `source`'s blob to `branches`, two or more, each of which ends with `moved` or `failure`
/// set. A branch that fails does not stop the others; the slowest sets the pace.
void stream_to_all(const std::vector<BlobBranch*>& branches, Reader& source,
                   const CopyOptions& options, ProgressObserver& observer,
                   const std::stop_token& stop);

}  // namespace lade
