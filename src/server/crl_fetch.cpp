#include "server/crl_fetch.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/limits.hpp"
#include "http/client.hpp"

namespace schakel::server {

security::CrlFetch crl_fetch(CrlProxy proxy, const Clock& clock, Log& log, Metrics& metrics) {
  return [proxy = std::move(proxy), &clock, &log, &metrics](const std::string& url, std::chrono::milliseconds timeout) -> Result<Bytes> {
    boost::asio::io_context context(1);
    http::Client client(context.get_executor(), {.proxy = proxy.proxy, .no_proxy = proxy.no_proxy}, clock, log, metrics);
    http::ClientRequest request;
    request.method = "GET";
    request.url = url;
    request.proxy_forwards = true;
    request.connect_timeout = timeout;
    request.response_timeout = timeout;
    request.response_bytes_max = limits::crl_bytes_max;
    Result<http::ClientResponse> response = fail("transport.timeout", "no answer");
    boost::asio::co_spawn(context, client.send(std::move(request)), [&](std::exception_ptr broken, Result<http::ClientResponse> answer) {
      if (!broken) response = std::move(answer);
      context.stop();  // the client keeps idle connections, and with them the context, longer than we wait
    });
    context.run_for(timeout);
    if (!response) return response.error();
    if (response->status != 200) return fail("transport.status", "the answer is " + std::to_string(response->status), url);
    return std::move(response->body);
  };
}

}  // namespace schakel::server
