#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "libimage/build/content_digests.h"
#include "libimage/build/ignore_pattern.h"
#include "libimage/build/source_tree.h"

namespace lade::build {

/// The build context: a directory, opened once, that nothing resolves out of; what the ignore file
/// hides is not there. Each directory is read at most once, when it is first needed. Owners are 0:0
/// here (BuildKit), links and modes as they are. Thread-safe.
class BuildContext final : public SourceTree {
 public:
  /// `ignored_by` names the ignore file in messages. `digests` may be null and outlives the object.
  BuildContext(DirFd root, IgnoreList ignore, std::string ignored_by, ContentDigests* digests);
  ~BuildContext() override;

  std::optional<Attributes> lookup(const std::string& path) override;
  std::string resolve(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override;
  ContentRef content(const std::string& path) override;
  FileIdentity identity(const std::string& path) override;
  Sha256 digest(const std::string& path, const std::stop_token& stop) override;
  void prepare_digests(const std::vector<std::string>& paths, unsigned jobs,
                       const std::stop_token& stop) override;
  void prepare(const std::string& path, unsigned jobs, const std::stop_token& stop) override;
  void walk(const std::string& path, const Attributes& attributes, unsigned jobs,
            const std::stop_token& stop, const WalkVisit& visit) override;
  void remember(const ContentRef& content, const Sha256& sha) override;
  std::string why_hidden(const std::string& path) override;
  /// The paths of the directory that are not in the context, each without what is below it. Found
  /// once.
  const std::vector<std::string>& hidden();

  [[nodiscard]] const IgnoreList& ignore() const noexcept { return ignore_; }

  /// True if something at or below `path` belongs to another than 0:0 on this machine.
  bool has_other_owners(const std::string& path);

  /// Keeps what was learnt of contents for the next build.
  void save_digests() noexcept;

 private:
  struct Node;
  struct Directory {
    Node* node;
    std::string path;
  };
  // All with mutex_ held:
  Node* find(const std::string& path);
  void load(Node& directory, const std::string& path);
  Node& required(const std::string& path);
  Attributes attributes_of(const Node& node, const std::string& path);
  static FileIdentity identity_of(const Node& node) noexcept;
  void find_digests(Node& directory, const std::string& path, std::vector<std::string>& unknown);
  bool take_known_digest(Node& file);
  void visit_all(const Node& node, const std::string& path, const std::stop_token& stop,
                 const WalkVisit& visit);
  void read_xattrs(const std::string& path, Attributes& out);

  std::shared_ptr<const DirFd> root_;
  IgnoreList ignore_;
  std::string ignored_by_;
  ContentDigests* digests_;
  Timestamp opened_;
  std::mutex mutex_;
  std::unique_ptr<Node> top_;  // guarded by mutex_
  std::mutex hidden_mutex_;
  std::optional<std::vector<std::string>> hidden_;  // guarded by hidden_mutex_ until set
};

/// The extended attributes that COPY keeps: security.capability and user.*; a label of this
/// machine's SELinux policy or an overlay's mark would mean nothing in an image.
bool is_copied_xattr(std::string_view name) noexcept;

}  // namespace lade::build
