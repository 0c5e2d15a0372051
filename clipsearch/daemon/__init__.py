"""The daemon: a background process that keeps a store open and its model loaded.

    __main__.py        its program: start, load, serve
    server.py          accepting connections and answering requests
    shared_backend.py  its connection to Milvus, for sessions in turn
    encoder_pool.py    its encoders
    process.py         starting it, its status, stopping it
    endpoint.py        its socket, lock and log; who may use them
    protocol.py        messages on the socket
    client.py          a session of a command with it
    remote_backend.py  its store, as a Backend
    remote_encoder.py  its model, as an Encoder

Commands use it through these two interfaces only. If anything is wrong with the daemon, the
command opens the store and the model itself.
"""
