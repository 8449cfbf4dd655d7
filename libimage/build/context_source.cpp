#include "libimage/build/context_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/git_source.h"
#include "libimage/build/lexer.h"
#include "libimage/build/source_text.h"
#include "libimage/compress/codec.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/name/platform.h"

namespace lade::build {
namespace {

constexpr std::size_t kMaxName = 4096;

/// "x", for all ways to write docker.io/library/x:latest.
std::string short_name(std::string_view name) {
  for (const std::string_view prefix :
       {"docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/"}) {
    if (name.starts_with(prefix)) {
      name.remove_prefix(prefix.size());
      break;
    }
  }
  if (name.ends_with(":latest")) name.remove_suffix(7);
  return std::string(name);
}

/// The layout transport's name of "DIR[:TAG|@DIGEST]".
std::string layout_name(std::string_view text) {
  if (text.empty()) throw Error(Errc::invalid_argument, "oci-layout:// names no directory");
  return cat("oci:", text);
}

/// Unpacks what `source` holds, or keeps it as a Containerfile.
FetchedContext unpacked(std::unique_ptr<Source> source, const std::string& what,
                        const BuildServices& services) {
  PeekableSource content(decompressed(std::move(source)));
  constexpr std::size_t kTarBlock = 512;
  FetchedContext out;
  if (!is_tar_start(content.peek(kTarBlock))) {
    out.containerfile = read_all(content, kMaxContainerfileBytes, what);
    if (out.containerfile->find('\0') != std::string::npos)
      throw Error(Errc::invalid_content, cat(what, " is neither a tar nor a Containerfile"));
    return out;
  }
  out.room = services.store.workspace();
  out.path = out.room->fs_path();
  with_context([&] { return cat("unpack ", what); },
               [&] {
                 apply_layer(create_dir(out.path), content,
                             {.rights = Rights::own, .whiteouts = false});
               });
  return out;
}

FetchedContext local(const std::string& path, const BuildServices& services) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw_errno(cat("open ", quoted(path)));
  if (!S_ISREG(status.st_mode)) return {.path = path};  // a directory, or open_dir() says what not
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno(cat("open ", quoted(path)));
  FetchedContext out =
      unpacked(std::make_unique<FdSource>(std::move(fd), path), quoted(path), services);
  if (out.containerfile)
    throw Error(Errc::invalid_argument,
                cat("the build context ", quoted(path), " is neither a directory nor a tar"));
  return out;
}

std::string git_address(const std::string& text) {
  return text.starts_with("github.com/") ? cat("https://", text) : text;
}

FetchedContext from_git(const std::string& text, const BuildOptions& options,
                        const BuildServices& services, const std::stop_token& stop) {
  GitSource source(parse_git_url(git_address(text)), options);
  const auto keep = options.build_args.find("BUILDKIT_CONTEXT_KEEP_GIT_DIR");
  const bool kept = source.url().keep_git_dir.value_or(
      keep != options.build_args.end() && (keep->second == "1" || keep->second == "true"));
  FetchedContext out{.room = services.store.workspace()};
  create_dir(out.room->fs_path());
  const DirFd tree = source.checkout(out.room->fs_path(), kept, stop);
  out.path = real_path(proc_path(tree.get())).value_or(out.room->fs_path());
  out.id = source.commit(stop);
  return out;
}

FetchedContext fetched_context(const ContextName& name, const BuildOptions& options,
                               const BuildServices& services, const std::stop_token& stop) {
  struct stat status {};
  switch (name.kind) {
    case ContextName::Kind::input:
      if (!options.standard_input)
        throw Error(Errc::invalid_argument, "there is no standard input to read a context from");
      return unpacked(options.standard_input(), "standard input", services);
    case ContextName::Kind::path:
      return local(name.text, services);
    case ContextName::Kind::git:
      // A directory may well be called like a repository.
      if (name.text.find("://") == std::string::npos && ::stat(name.text.c_str(), &status) == 0)
        return local(name.text, services);
      return from_git(name.text, options, services, stop);
    case ContextName::Kind::http: {
      if (!services.fetch)
        throw Error(Errc::unsupported, "this build has no way to reach http servers");
      UrlAnswer answer = services.fetch({.url = name.text});
      if (!answer.body)
        throw Error(Errc::invalid_content, cat(quoted(name.text), " has no content"));
      return unpacked(std::move(answer.body), quoted(name.text), services);
    }
    case ContextName::Kind::image:
      break;
  }
  throw Error(Errc::invalid_argument, cat("the image ", quoted(name.text), " is no build context"));
}

}  // namespace

ContextName parse_context_name(std::string_view text) {
  if (text.empty()) throw Error(Errc::invalid_argument, "a build context has no name");
  if (text.size() > kMaxName || text.find('\0') != std::string_view::npos)
    throw Error(Errc::invalid_argument, "the name of a build context is no name");
  using Kind = ContextName::Kind;
  if (text == "-") return {.kind = Kind::input};
  for (const std::string_view scheme : {"docker-image://", "container-image://", "docker://"}) {
    if (!text.starts_with(scheme)) continue;
    if (text.size() == scheme.size())
      throw Error(Errc::invalid_argument, cat(quoted(text), " names no image"));
    return {.kind = Kind::image, .text = std::string(text.substr(scheme.size()))};
  }
  constexpr std::string_view kLayout = "oci-layout://";
  if (text.starts_with(kLayout))
    return {.kind = Kind::image, .text = layout_name(text.substr(kLayout.size()))};
  if (is_git_url(text) || text.starts_with("github.com/"))
    return {.kind = Kind::git, .text = std::string(text)};
  if (text.starts_with("https://") || text.starts_with("http://"))
    return {.kind = Kind::http, .text = std::string(text)};
  for (const std::string_view other : {"target:", "input:"}) {
    if (text.starts_with(other))
      throw Error(Errc::unsupported, cat("a build context ", quoted(other),
                                         " is a bake file's: name a stage of the Containerfile"));
  }
  if (const std::size_t colon = text.find("://"); colon != std::string_view::npos)
    throw Error(Errc::invalid_argument,
                cat("a build context cannot be ", quoted(text.substr(0, colon + 3)),
                    ": it is a directory, a tar, git, http, docker-image:// or oci-layout://"));
  return {.kind = Kind::path, .text = std::string(text)};
}

std::optional<ContextName> named_context(const std::map<std::string, std::string>& contexts,
                                         const std::string& name, const oci::Platform& platform) {
  if (contexts.empty() || name == "scratch" || name == "context") return std::nullopt;
  const std::string wanted = lower_case(short_name(name));
  const std::string exact = cat(wanted, "::", oci::to_string(platform));
  const std::string* found = nullptr;
  for (const auto& [known, text] : contexts) {
    const std::string lower = lower_case(known);
    if (lower == exact) found = &text;
    if (found == nullptr && short_name(lower) == wanted) found = &text;
  }
  if (found == nullptr) return std::nullopt;
  return with_context([&] { return cat("build context ", quoted(name)); },
                      [&] { return parse_context_name(*found); });
}

FetchedContext fetch_context(const ContextName& name, const BuildOptions& options,
                             const BuildServices& services, const std::stop_token& stop) {
  try {
    return fetched_context(name, options, services, stop);
  } catch (const Error& e) {
    throw Error(e.code(), hide_credentials(e.what()), e.detail());
  }
}

}  // namespace lade::build
