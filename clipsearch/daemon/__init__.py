"""The daemon: a background process that keeps a store open and its model loaded.

    __main__.py        its program: start, load, serve
    server.py          accepting connections, sessions and searches
    request_service.py answering a search, or what the state of the store is
    outcome.py         a result, an error or a failure
    log_relay.py       log messages for the command that caused them
    host.py            the Python API in this process, for `clipsearch serve`
    shared_backend.py  its connection to Milvus, for sessions in turn
    encoder_pool.py    its encoders
    process.py         starting it, its status, stopping it
    endpoint.py        its socket, lock and log; who may use them
    protocol.py        messages on the socket: JSON
    pickles.py         values on the socket: arrays, records, errors
    connection.py      connecting to it, with the same code on both sides
    request.py         a whole request to it, as JSON: a search, the state of the store
    client.py          a session with it: calls of the store and of the model
    remote_backend.py  its store, as a Backend
    remote_encoder.py  its model, as an Encoder

`query`, `similar` and `status` send it a whole request. Everything else uses its store and its
model through the two interfaces, call by call. If anything is wrong with the daemon, the command
opens the store and the model itself.
"""
