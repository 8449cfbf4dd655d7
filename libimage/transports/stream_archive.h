#pragma once
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/store/pending_file.h"
#include "libimage/transports/archive_output.h"

namespace lade {

/// A tar archive written to a stream while its members come. A blob of known size goes straight
/// through while no other does; what comes meanwhile, and blobs of unknown size, are gathered in
/// files without names under SessionOptions::temp_root and follow as soon as the stream is free. So
/// room is needed for what is in the making, not for the archive.
///
/// The order of members, and so the bytes, depend on which blob is ready first. A stream that is
/// broken off in the middle of a member cannot be mended: everything after that fails.
class StreamArchive final : public ArchiveOutput {
 public:
  StreamArchive(std::unique_ptr<Sink> out, ArchiveOptions archive, const SessionOptions& options);
  ~StreamArchive() override;
  StreamArchive(const StreamArchive&) = delete;
  StreamArchive& operator=(const StreamArchive&) = delete;

  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override;
  [[nodiscard]] bool contains(const oci::Descriptor& blob) const override;
  void add(const std::string& name, std::string_view content) override;
  [[nodiscard]] bool has(const std::string& name) const override;
  [[nodiscard]] std::string content(const std::string& name, std::uint64_t limit) const override;
  void adopt(const ArchiveFile& from, const ArchiveMember& member,
             const std::string& name) override;
  /// Ends the archive and finishes the sink.
  void finish(const std::vector<std::string>& order, const std::string& last) override;

 private:
  friend class StreamBlobWriter;

  /// A member that is complete and waits for its turn.
  struct Member {
    std::string name;
    std::uint64_t size = 0;
    std::string text = {};  // the content, unless there is a file
    std::unique_ptr<PendingFile> file = {};
  };

  /// True if the caller now owns the stream; it gives it back by leave().
  bool try_enter();
  /// Writes what waits, then sets the stream free. `broken`: in the middle of a member.
  enum class State { whole, broken };
  void leave(State state);
  /// Writes the member now, or as soon as the stream is free.
  void submit(Member member);
  void write_member(const Member& member);
  void write_header(const std::string& name, std::uint64_t size);
  void write_padding(std::uint64_t size);
  void note(const std::string& name, std::uint64_t size, const std::string* text);
  [[nodiscard]] bool reads_back(std::string_view name) const;
  void throw_if_broken() const;

  std::unique_ptr<Sink> out_;  // used by who has entered
  ArchiveOptions archive_;
  DirFd temp_;
  std::stop_token stop_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool entered_ = false;                          // guarded by mutex_
  bool broken_ = false;                           // guarded by mutex_
  std::deque<Member> waiting_;                    // guarded by mutex_
  std::map<std::string, std::uint64_t> members_;  // guarded by mutex_: sizes, of waiting ones too
  std::map<std::string, std::string> texts_;      // guarded by mutex_: what is read back
};

}  // namespace lade
