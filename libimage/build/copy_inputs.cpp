#include "libimage/build/copy_inputs.h"

#include <iterator>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/build_context.h"
#include "libimage/build/git_source.h"
#include "libimage/io/path.h"

namespace lade::build {
namespace {

/// "a/b/./c/*" at the pivot: what is searched, and what is kept of the names found.
struct Pivot {
  std::string base, pattern;
};

Pivot pivot_of(const std::string& source) {
  const std::size_t pivot = source.find("/./");
  if (pivot == std::string::npos) return {.base = "", .pattern = clean_path(source)};
  return {.base = source.substr(0, pivot), .pattern = clean_path(source.substr(pivot + 3))};
}

class TreeInput final : public CopyInput {
 public:
  TreeInput(StageContext& stage, SourceTree& tree, const std::vector<std::string>& sources,
            const InputRules& rules)
      : stage_(stage), tree_(tree), may_be_archive_(rules.unpack != UnpackMode::never) {
    const IgnoreList exclude = IgnoreList::of(rules.exclude);
    for (const std::string& source : sources) {
      const Missing missing = rules.optional_sources ? Missing::left_out : Missing::error;
      if (rules.parents) {
        add_with_parents(source, exclude, missing);
      } else {
        for (CopySource& found : match_sources(tree_, source, missing))
          add(std::move(found), {.exclude = exclude});
      }
    }
  }

  void add_to(StepKey& key) override {
    for (const FoundSource& found : found_)
      add_sources(key, *found.tree, {found.source}, stage_.run().jobs(), stage_.stop());
  }
  const std::vector<FoundSource>& open() override { return found_; }
  [[nodiscard]] bool reads_content() const override { return true; }
  void remember(const ContentRef& content, const Sha256& sha) override {
    tree_.remember(content, sha);
  }

 private:
  void add_with_parents(const std::string& source, const IgnoreList& exclude, Missing missing) {
    const Pivot pivot = pivot_of(source);
    for (CopySource& base : match_sources(tree_, pivot.base, missing)) {
      if (base.attributes.type != FileType::directory)
        throw Error(Errc::invalid_argument,
                    cat(quoted(pivot.base), " is no directory to start --parents at"));
      SourceRules rules{.exclude = exclude};
      if (!pivot.pattern.empty()) rules.include.emplace(pivot.pattern);
      if (!pivot.pattern.empty() && !has_wildcard(pivot.pattern) && missing == Missing::error) {
        const std::string path =
            base.path.empty() ? pivot.pattern : cat(base.path, "/", pivot.pattern);
        if (!tree_.lookup(path)) {
          const std::string why = tree_.why_hidden(path);
          throw Error(Errc::not_found, cat("there is no ", quoted(path),
                                           why.empty() ? std::string() : cat(": ", why)));
        }
      }
      add(std::move(base), std::move(rules));
    }
  }

  void add(CopySource source, SourceRules rules) {
    FoundSource found{.tree = &tree_, .may_be_archive = may_be_archive_};
    if (!rules.exclude.empty() || rules.include) {
      const bool is_directory = source.attributes.type == FileType::directory;
      if (!is_directory && rules.exclude.ignores(source.name)) return;
      if (is_directory) {
        rules_.push_back(std::make_unique<const SourceRules>(std::move(rules)));
        filters_.push_back(std::make_unique<FilteredTree>(tree_, source.path, *rules_.back()));
        found.tree = filters_.back().get();
      }
    }
    // Filters may leave whole directories out, which need not be read then.
    if (found.tree == &tree_) tree_.prepare(source.path, stage_.run().jobs(), stage_.stop());
    found.source = std::move(source);
    found_.push_back(std::move(found));
  }

  StageContext& stage_;
  SourceTree& tree_;
  bool may_be_archive_;
  std::vector<std::unique_ptr<const SourceRules>> rules_;
  std::vector<std::unique_ptr<FilteredTree>> filters_;
  std::vector<FoundSource> found_;
};

class GitInput final : public CopyInput {
 public:
  GitInput(StageContext& stage, const std::string& url, const InputRules& rules)
      : stage_(stage), exclude_(rules.exclude), source_(parsed(url, rules), stage.run().options()) {
    keep_git_dir_ = rules.keep_git_dir.value_or(source_.url().keep_git_dir.value_or(false));
  }

  void add_to(StepKey& key) override {
    stage_.run().note_network();
    key.add("git").add(source_.commit(stage_.stop())).add(source_.url().subdirectory);
    key.add(source_.url().submodules ? "submodules" : "").add(keep_git_dir_ ? "git dir" : "");
    key.add_all(exclude_);
    // Two remotes of one commit have the same files, but not the same .git, and perhaps not the
    // same submodules.
    key.add(source_.url().remote);
  }

  const std::vector<FoundSource>& open() override {
    if (input_) return input_->open();
    room_ = stage_.run().services().store.workspace();
    create_dir(room_->fs_path());
    tree_ = std::make_unique<BuildContext>(
        source_.checkout(room_->fs_path(), keep_git_dir_, stage_.stop()), IgnoreList(), "",
        nullptr);
    InputRules rules;
    rules.exclude = exclude_;
    input_ = tree_input(stage_, *tree_, {""}, rules);
    return input_->open();
  }

 private:
  static GitUrl parsed(const std::string& text, const InputRules& rules) {
    GitUrl url = parse_git_url(text);
    if (rules.checksum.empty()) return url;
    std::string pinned = lower_case(rules.checksum);
    if (pinned.size() < 7 || pinned.size() > 64 ||
        pinned.find_first_not_of("0123456789abcdef") != std::string::npos)
      throw Error(Errc::invalid_content,
                  cat("--checksum of a git repository is a commit, not ", quoted(rules.checksum)));
    if (!url.checksum.empty() && url.checksum != pinned)
      throw Error(Errc::invalid_content, "--checksum and the URL name different commits");
    url.checksum = std::move(pinned);
    return url;
  }

  StageContext& stage_;
  std::vector<std::string> exclude_;
  GitSource source_;
  bool keep_git_dir_ = false;
  std::unique_ptr<LocalStore::Workspace> room_;
  std::unique_ptr<BuildContext> tree_;
  std::unique_ptr<CopyInput> input_;
};

}  // namespace

std::unique_ptr<CopyInput> tree_input(StageContext& stage, SourceTree& tree,
                                      const std::vector<std::string>& sources,
                                      const InputRules& rules) {
  return std::make_unique<TreeInput>(stage, tree, sources, rules);
}

std::unique_ptr<CopyInput> git_input(StageContext& stage, const std::string& url,
                                     const InputRules& rules) {
  return std::make_unique<GitInput>(stage, url, rules);
}

}  // namespace lade::build
