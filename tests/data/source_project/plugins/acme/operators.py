from airflow.models import BaseOperator
from airflow.utils.decorators import apply_defaults


class CountRowsOperator(BaseOperator):
    @apply_defaults
    def __init__(self, table, conn_id, **kwargs):
        super().__init__(**kwargs)
        self.table = table
        self.conn_id = conn_id

    def execute(self, context):
        return 42
